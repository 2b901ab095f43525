import { HashikeError } from '../../base/errors.ts';
import type { ByteSource } from './byte-source.ts';
import { MAX_PACKET_BYTES, type Packet } from './packet.ts';

/** The rest of the file header after its magic number: version, time zone, accuracy, snapshot length, link type. */
const HEADER_BYTES = 20;
const RECORD_HEADER_BYTES = 16;

/** What the magic number of a pcap file says. */
export interface PcapVariant {
  readonly littleEndian: boolean;
  /** Nanoseconds of one unit of the fraction of a second. */
  readonly unit: bigint;
}

/** The variant of pcap that begins with these four bytes, read big-endian. */
export function pcapVariant(magic: number): PcapVariant | undefined {
  switch (magic) {
    case 0xa1b2c3d4:
      return { littleEndian: false, unit: 1000n };
    case 0xd4c3b2a1:
      return { littleEndian: true, unit: 1000n };
    case 0xa1b23c4d:
      return { littleEndian: false, unit: 1n };
    case 0x4d3cb2a1:
      return { littleEndian: true, unit: 1n };
    default:
      return undefined;
  }
}

/**
 * The packets of a pcap file whose magic number has been read:
 *
 *     file header | repeated (seconds u32 | fraction u32 | captured u32 | original u32 | bytes)
 *
 * A file that ends within a packet ends before it: a capture that was stopped looks so. Throws HSK-6002 on a damaged one.
 */
export async function* pcapPackets(
  source: ByteSource,
  variant: PcapVariant,
): AsyncGenerator<Packet, boolean> {
  const { littleEndian, unit } = variant;
  const header = await source.read(HEADER_BYTES);
  if (header.length < HEADER_BYTES) return false;
  // The upper bits tell of a frame check sequence.
  const linkType = viewOf(header).getUint32(16, littleEndian) & 0xffff;
  for (;;) {
    const at = source.position;
    const record = await source.read(RECORD_HEADER_BYTES);
    if (record.length < RECORD_HEADER_BYTES) return record.length === 0;
    const view = viewOf(record);
    const length = view.getUint32(8, littleEndian);
    if (length > MAX_PACKET_BYTES) {
      throw new HashikeError('HSK-6002', `the record at byte ${at} announces a packet of ${length} bytes`, {
        at,
      });
    }
    const bytes = await source.read(length);
    if (bytes.length < length) return false;
    const time = BigInt(view.getUint32(0, littleEndian)) * 1_000_000_000n;
    const fraction = BigInt(view.getUint32(4, littleEndian)) * unit;
    yield { time: time + fraction, linkType, bytes, originalLength: view.getUint32(12, littleEndian) };
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
