import { concat, utf8 } from '../../src/base/bytes.ts';

/** Link types that captures here come with. */
export const linkTypes = {
  null: 0,
  ethernet: 1,
  raw: 101,
  loop: 108,
  cooked: 113,
  user0: 147,
  cooked2: 276,
} as const;

export interface CapturedBytes {
  /** Nanoseconds since the Unix epoch. */
  readonly time: bigint;
  readonly bytes: Uint8Array;
  /** Where the capture cut the packet. */
  readonly originalLength?: number;
}

export interface FileOptions {
  readonly linkType: number;
  readonly littleEndian?: boolean;
  readonly nanoseconds?: boolean;
}

/** A pcap file. */
export function pcapFile(packets: readonly CapturedBytes[], options: FileOptions): Uint8Array {
  const { linkType, littleEndian = true, nanoseconds = false } = options;
  const u32 = (...values: readonly number[]): Uint8Array => words(littleEndian, values);
  const u16 = (...values: readonly number[]): Uint8Array => halves(littleEndian, values);
  const magic = nanoseconds ? 0xa1b23c4d : 0xa1b2c3d4;
  const unit = nanoseconds ? 1n : 1000n;
  return concat([
    u32(magic),
    u16(2, 4),
    u32(0, 0, 262_144, linkType),
    ...packets.map(({ time, bytes, originalLength = bytes.length }) =>
      concat([
        u32(
          Number(time / 1_000_000_000n),
          Number((time % 1_000_000_000n) / unit),
          bytes.length,
          originalLength,
        ),
        bytes,
      ]),
    ),
  ]);
}

/** A pcapng file with one interface, an unknown block in front of each packet, and the packets in enhanced blocks. */
export function pcapngFile(packets: readonly CapturedBytes[], options: FileOptions): Uint8Array {
  const { linkType, littleEndian = true, nanoseconds = false } = options;
  const u32 = (...values: readonly number[]): Uint8Array => words(littleEndian, values);
  const u16 = (...values: readonly number[]): Uint8Array => halves(littleEndian, values);
  const block = (type: number, body: Uint8Array): Uint8Array => {
    const whole = padTo4(body);
    return concat([u32(type, whole.length + 12), whole, u32(whole.length + 12)]);
  };
  const resolution = nanoseconds ? concat([u16(9, 1), Uint8Array.of(9, 0, 0, 0), u32(0)]) : new Uint8Array(0);
  const unit = nanoseconds ? 1n : 1000n;
  return concat([
    block(0x0a0d0d0a, concat([u32(0x1a2b3c4d), u16(1, 0), u32(0xffff_ffff, 0xffff_ffff)])),
    block(1, concat([u16(linkType, 0), u32(0), resolution])),
    ...packets.map(({ time, bytes, originalLength = bytes.length }) => {
      const ticks = time / unit;
      const stamp = u32(0, Number(ticks >> 32n), Number(ticks & 0xffff_ffffn), bytes.length, originalLength);
      return concat([block(5, new Uint8Array(12)), block(6, concat([stamp, bytes]))]);
    }),
  ]);
}

/** The same packet as it looks on each kind of link; `packet` is IP. */
export function onLink(linkType: number, packet: Uint8Array): Uint8Array {
  const isV6 = (packet[0] ?? 0) >> 4 === 6;
  const etherType = isV6 ? 0x86dd : 0x0800;
  switch (linkType) {
    case linkTypes.ethernet:
      return concat([new Uint8Array(12), halves(false, [0x8100, 7, etherType]), packet]);
    case linkTypes.cooked:
      return concat([new Uint8Array(14), halves(false, [etherType]), packet]);
    case linkTypes.cooked2:
      return concat([halves(false, [etherType]), new Uint8Array(18), packet]);
    case linkTypes.null:
      return concat([words(true, [isV6 ? 10 : 2]), packet]);
    case linkTypes.loop:
      return concat([words(false, [isV6 ? 30 : 2]), packet]);
    default:
      return packet;
  }
}

/** An IP packet from the loopback address to itself. */
function ipPacket(protocol: number, payload: Uint8Array, v6 = false): Uint8Array {
  if (v6) {
    const address = new Uint8Array(16);
    address[15] = 1;
    const head = concat([
      words(false, [0x6000_0000]),
      halves(false, [payload.length]),
      Uint8Array.of(protocol, 64),
    ]);
    return concat([head, address, address, payload]);
  }
  return concat([
    Uint8Array.of(0x45, 0),
    halves(false, [20 + payload.length, 0, 0]),
    Uint8Array.of(64, protocol, 0, 0, 127, 0, 0, 1, 127, 0, 0, 1),
    payload,
  ]);
}

export function udpPacket(from: number, to: number, payload: Uint8Array): Uint8Array {
  return ipPacket(17, concat([halves(false, [from, to, 8 + payload.length, 0]), payload]));
}

/** One TCP segment. */
export interface TcpOptions {
  readonly from: number;
  readonly to: number;
  readonly sequence: number;
  readonly acknowledged?: number;
  readonly flags?: string;
  readonly payload?: Uint8Array;
  readonly v6?: boolean;
}

export function tcpPacket(options: TcpOptions): Uint8Array {
  const { from, to, sequence, acknowledged, flags = '', payload = new Uint8Array(0), v6 = false } = options;
  const bits =
    (flags.includes('F') ? 1 : 0) |
    (flags.includes('S') ? 2 : 0) |
    (flags.includes('R') ? 4 : 0) |
    (acknowledged === undefined ? 0 : 16);
  const header = concat([
    halves(false, [from, to]),
    words(false, [sequence >>> 0, (acknowledged ?? 0) >>> 0]),
    Uint8Array.of(0x50, bits),
    halves(false, [0xffff, 0, 0]),
  ]);
  return ipPacket(6, concat([header, payload]), v6);
}

/** Both directions of a TCP connection, segment by segment. */
export class TcpTalk {
  readonly packets: Uint8Array[] = [];
  readonly #v6: boolean;
  readonly #ports: readonly [client: number, server: number];
  readonly #next: [client: number, server: number];

  constructor(options: {
    readonly client: number;
    readonly server: number;
    readonly v6?: boolean;
    readonly sequence?: number;
  }) {
    this.#ports = [options.client, options.server];
    this.#v6 = options.v6 ?? false;
    const first = options.sequence ?? 1000;
    this.#next = [first, first + 5000];
  }

  handshake(): this {
    this.packets.push(this.#segment(0, new Uint8Array(0), 'S', false));
    this.#next[0] += 1;
    this.packets.push(this.#segment(1, new Uint8Array(0), 'S'));
    this.#next[1] += 1;
    return this;
  }

  /** What the client says, in one segment. */
  client(bytes: Uint8Array): this {
    return this.#say(0, bytes);
  }

  server(bytes: Uint8Array): this {
    return this.#say(1, bytes);
  }

  #say(side: 0 | 1, bytes: Uint8Array): this {
    this.packets.push(this.#segment(side, bytes, ''));
    this.#next[side] += bytes.length;
    return this;
  }

  #segment(side: 0 | 1, payload: Uint8Array, flags: string, acknowledges = true): Uint8Array {
    const other = side === 0 ? 1 : 0;
    return tcpPacket({
      from: this.#ports[side],
      to: this.#ports[other],
      sequence: this.#next[side],
      ...(acknowledges && { acknowledged: this.#next[other] }),
      flags,
      payload,
      v6: this.#v6,
    });
  }
}

/** A frame of WebSocket (RFC 6455, 5.2). */
export function webSocketFrame(
  payload: Uint8Array,
  options: { readonly opcode?: number; readonly final?: boolean; readonly mask?: number } = {},
): Uint8Array {
  const { opcode = 2, final = true, mask } = options;
  const masked = mask === undefined ? 0 : 0x80;
  const { length } = payload;
  const first = (final ? 0x80 : 0) | opcode;
  const head =
    length < 126
      ? Uint8Array.of(first, masked | length)
      : concat([Uint8Array.of(first, masked | 126), halves(false, [length])]);
  if (mask === undefined) return concat([head, payload]);
  const key = words(false, [mask]);
  return concat([head, key, payload.map((byte, index) => byte ^ (key[index % 4] ?? 0))]);
}

export function upgradeRequest(protocol = 'hashike.tlv.1'): Uint8Array {
  return utf8(
    `GET /tlv HTTP/1.1\r\nHost: gateway\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Protocol: ${protocol}\r\n\r\n`,
  );
}

export function upgradeResponse(protocol = 'hashike.tlv.1'): Uint8Array {
  return utf8(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Protocol: ${protocol}\r\n\r\n`,
  );
}

/** The chunks of a file, `size` bytes each. */
export async function* chunked(file: Uint8Array, size = 65_536): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < file.length; at += size) {
    await Promise.resolve();
    yield file.subarray(at, at + size);
  }
}

function words(littleEndian: boolean, values: readonly number[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(values.length * 4));
  for (const [index, value] of values.entries()) view.setUint32(index * 4, value, littleEndian);
  return new Uint8Array(view.buffer);
}

function halves(littleEndian: boolean, values: readonly number[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(values.length * 2));
  for (const [index, value] of values.entries()) view.setUint16(index * 2, value, littleEndian);
  return new Uint8Array(view.buffer);
}

function padTo4(bytes: Uint8Array): Uint8Array {
  return concat([bytes, new Uint8Array((4 - (bytes.length % 4)) % 4)]);
}
