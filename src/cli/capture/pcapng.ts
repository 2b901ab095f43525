import { HashikeError } from '../../base/errors.ts';
import type { ByteSource } from './byte-source.ts';
import { MAX_PACKET_BYTES, type Packet } from './packet.ts';

/** Type of a section header block, the same in both byte orders. */
export const SECTION_HEADER = 0x0a0d0d0a;
const INTERFACE = 1;
const OLD_PACKET = 2;
const SIMPLE_PACKET = 3;
const ENHANCED_PACKET = 6;

const BYTE_ORDER_MAGIC = 0x1a2b3c4d;
/** A block that is interpreted holds a packet, its header and a few options. */
const MAX_BLOCK_BYTES = MAX_PACKET_BYTES + 65_536;
const MAX_INTERFACES = 4096;

interface Interface {
  readonly linkType: number;
  readonly snapLength: number;
  /** Ticks of a second, and seconds to add. */
  readonly ticks: bigint;
  readonly offset: bigint;
}

/**
 * The packets of a pcapng file whose first four bytes, the type of a section header block, have been read. Each block is
 *
 *     type u32 | length u32 | body, padded to 4 | length u32
 *
 * in the byte order that the section's header tells. Blocks that say nothing of packets are passed over without being kept. A file that
 * ends within a block ends before it. Throws HSK-6002 on a damaged one.
 */
export async function* pcapngPackets(source: ByteSource): AsyncGenerator<Packet, boolean> {
  let littleEndian = false;
  let interfaces: Interface[] = [];
  let type = SECTION_HEADER;
  for (;;) {
    const at = source.position - 4;
    const damaged = (what: string): HashikeError =>
      new HashikeError('HSK-6002', `the block at byte ${at} ${what}`, { at });
    const head = await source.read(type === SECTION_HEADER ? 8 : 4);
    if (head.length < (type === SECTION_HEADER ? 8 : 4)) return false;
    let left = 4;
    if (type === SECTION_HEADER) {
      left = 8;
      const order = viewOf(head);
      littleEndian = order.getUint32(4, true) === BYTE_ORDER_MAGIC;
      if (!littleEndian && order.getUint32(4) !== BYTE_ORDER_MAGIC) throw damaged('tells no byte order');
      interfaces = [];
    }
    const length = viewOf(head).getUint32(0, littleEndian);
    if (length % 4 !== 0 || length < left + 8) throw damaged(`says that it has ${length} bytes`);
    const bodyLength = length - 8 - left;
    if (type === INTERFACE || isPacket(type)) {
      if (length > MAX_BLOCK_BYTES) throw damaged(`says that it has ${length} bytes`);
      const body = await source.read(bodyLength);
      if (body.length < bodyLength || !(await source.skip(4))) return false;
      if (type === INTERFACE) {
        if (bodyLength < 8 || interfaces.length === MAX_INTERFACES) throw damaged('is no interface');
        interfaces.push(interfaceOf(body, littleEndian));
      } else {
        const packet = packetOf(type, body, interfaces, littleEndian);
        if (!packet) throw damaged('is no packet of a known interface');
        yield packet;
      }
    } else if (!(await source.skip(length - 4 - left))) return false;
    const next = await source.read(4);
    if (next.length < 4) return next.length === 0;
    type = viewOf(next).getUint32(0, littleEndian);
  }
}

function isPacket(type: number): boolean {
  return type === ENHANCED_PACKET || type === SIMPLE_PACKET || type === OLD_PACKET;
}

/** Link type u16 | reserved u16 | snapshot length u32 | options. */
function interfaceOf(body: Uint8Array, littleEndian: boolean): Interface {
  const view = viewOf(body);
  const options = optionsOf(body.subarray(8), littleEndian);
  const resolution = options.get(9)?.[0] ?? 6;
  const offset = options.get(14);
  return {
    linkType: view.getUint16(0, littleEndian),
    snapLength: view.getUint32(4, littleEndian) || MAX_PACKET_BYTES,
    ticks: resolution < 0x80 ? 10n ** BigInt(resolution) : 2n ** BigInt(resolution & 0x7f),
    offset: offset?.length === 8 ? viewOf(offset).getBigInt64(0, littleEndian) : 0n,
  };
}

/**
 * Enhanced: interface u32 | ticks u64, high half first | captured u32 | original u32 | bytes, padded | options.
 * Simple: original u32 | bytes. Old: interface u16 | drops u16 | then as enhanced.
 */
function packetOf(
  type: number,
  body: Uint8Array,
  interfaces: readonly Interface[],
  littleEndian: boolean,
): Packet | undefined {
  const view = viewOf(body);
  if (type === SIMPLE_PACKET) {
    const [from] = interfaces;
    if (!from || body.length < 4) return undefined;
    const originalLength = view.getUint32(0, littleEndian);
    const bytes = body.subarray(4, 4 + Math.min(originalLength, from.snapLength));
    return { time: undefined, linkType: from.linkType, bytes, originalLength };
  }
  if (body.length < 20) return undefined;
  const from =
    interfaces[type === ENHANCED_PACKET ? view.getUint32(0, littleEndian) : view.getUint16(0, littleEndian)];
  const captured = view.getUint32(12, littleEndian);
  if (!from || captured > body.length - 20) return undefined;
  const ticks = (BigInt(view.getUint32(4, littleEndian)) << 32n) | BigInt(view.getUint32(8, littleEndian));
  const flags = optionsOf(body.subarray(20 + ((captured + 3) & ~3)), littleEndian).get(2);
  const way = flags?.length === 4 ? viewOf(flags).getUint32(0, littleEndian) & 3 : 0;
  return {
    time: (ticks * 1_000_000_000n) / from.ticks + from.offset * 1_000_000_000n,
    linkType: from.linkType,
    bytes: body.subarray(20, 20 + captured),
    originalLength: view.getUint32(16, littleEndian),
    way: way === 1 ? 'in' : way === 2 ? 'out' : undefined,
  };
}

/** Options: code u16 | length u16 | value, padded to 4; whatever is cut short ends them. */
function optionsOf(bytes: Uint8Array, littleEndian: boolean): ReadonlyMap<number, Uint8Array> {
  const options = new Map<number, Uint8Array>();
  const view = viewOf(bytes);
  for (let at = 0; at + 4 <= bytes.length;) {
    const code = view.getUint16(at, littleEndian);
    const length = view.getUint16(at + 2, littleEndian);
    if (code === 0 || at + 4 + length > bytes.length) break;
    options.set(code, bytes.subarray(at + 4, at + 4 + length));
    at += 4 + ((length + 3) & ~3);
  }
  return options;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
