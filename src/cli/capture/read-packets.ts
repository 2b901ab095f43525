import { HashikeError } from '../../base/errors.ts';
import { ByteSource } from './byte-source.ts';
import type { Packet } from './packet.ts';
import { pcapPackets, pcapVariant } from './pcap.ts';
import { pcapngPackets, SECTION_HEADER } from './pcapng.ts';

/**
 * The packets of a pcap or pcapng file in the order of the file, one at a time; the value at the end is whether the file ends where a
 * packet does. Throws HSK-6002 when it is neither, or damaged.
 */
export function readPackets(stream: AsyncIterable<Uint8Array>): AsyncGenerator<Packet, boolean> {
  return packetsOf(new ByteSource(stream));
}

async function* packetsOf(source: ByteSource): AsyncGenerator<Packet, boolean> {
  const head = await source.read(4);
  const magic = head.length < 4 ? 0 : new DataView(head.buffer, head.byteOffset).getUint32(0);
  if (magic === SECTION_HEADER) return yield* pcapngPackets(source);
  const variant = pcapVariant(magic);
  if (!variant) throw new HashikeError('HSK-6002', 'the file begins neither as pcap nor as pcapng');
  return yield* pcapPackets(source, variant);
}
