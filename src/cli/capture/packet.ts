/** One packet of a capture, as the file has it. */
export interface Packet {
  /** Nanoseconds since the Unix epoch; undefined where the file does not say. */
  readonly time: bigint | undefined;
  /** A LINKTYPE of the tcpdump registry; undefined where the file does not say. */
  readonly linkType: number | undefined;
  /** What was captured of it. */
  readonly bytes: Uint8Array;
  /** Bytes that the packet had on the wire: more than `bytes` where the capture cut it. */
  readonly originalLength: number;
  /** Which way it went through the interface, where the file says. */
  readonly way?: 'in' | 'out' | undefined;
}

/** Largest packet that is kept; what a file announces beyond it is damage. libpcap's own largest snapshot. */
export const MAX_PACKET_BYTES = 262_144;

/** `2026-01-02T03:04:05.123456789Z`, and for times beyond the calendar the seconds. */
export function timeText(time: bigint): string {
  const second = 1_000_000_000n;
  const seconds = time / second - (time % second < 0n ? 1n : 0n);
  const fraction = (time - seconds * second).toString().padStart(9, '0');
  const date = new Date(Number(seconds) * 1000);
  if (Number.isNaN(date.getTime())) return `${seconds}.${fraction} s`;
  return `${date.toISOString().slice(0, -5)}.${fraction}Z`;
}
