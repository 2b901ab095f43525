import { FrameKind, type Acknowledger, type Protocol } from './protocol.ts';

const PUBLISH_QOS_0 = 0x30;
const PUBLISH_QOS_1 = 0x32;
/** Bytes of a PUBACK. */
const PUBACK_BYTES = 4;

/** A packet with the given first byte, its length as a variable-length integer. */
function packet(first: number, ...parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  const head = [first];
  for (let left = body.length; ; left >>= 7) {
    head.push(left > 0x7f ? (left & 0x7f) | 0x80 : left);
    if (left <= 0x7f) break;
  }
  return Buffer.concat([Buffer.from(head), body]);
}

function u16(value: number): Buffer {
  return Buffer.from([value >> 8, value & 0xff]);
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([u16(bytes.length), bytes]);
}

/** Answers each PUBLISH with its own PUBACK; those of one read leave together. */
class PubAcks implements Acknowledger {
  #bytes = Buffer.allocUnsafe(0);
  #length = 0;

  delivered(bytes: Buffer, at: number): void {
    if (bytes[at] !== PUBLISH_QOS_1) return;
    if (this.#length + PUBACK_BYTES > this.#bytes.length) this.#grow();
    let topicAt = at + 1;
    while ((bytes[topicAt] ?? 0) > 0x7f) topicAt += 1;
    topicAt += 1;
    const numberAt = topicAt + 2 + bytes.readUInt16BE(topicAt);
    this.#bytes.writeUInt16BE(0x4002, this.#length);
    this.#bytes.writeUInt16BE(bytes.readUInt16BE(numberAt), this.#length + 2);
    this.#length += PUBACK_BYTES;
  }

  take(): Buffer | undefined {
    if (this.#length === 0) return undefined;
    const acks = this.#bytes.subarray(0, this.#length);
    this.#bytes = Buffer.allocUnsafe(0);
    this.#length = 0;
    return acks;
  }

  #grow(): void {
    const grown = Buffer.allocUnsafe(Math.max(1024, this.#bytes.length * 2));
    this.#bytes.copy(grown);
    this.#bytes = grown;
  }
}

/** MQTT 3.1.1, QoS 0 and 1. */
export const mqttProtocol: Protocol = {
  hello: (name, resumable) =>
    packet(0x10, text('MQTT'), Buffer.from([4, resumable ? 0 : 2, 0, 0]), text(name)),
  subscribe: (filters, number, reliable) =>
    packet(
      0x82,
      u16(number),
      ...filters.map((filter) => Buffer.concat([text(filter), Buffer.from([reliable ? 1 : 0])])),
    ),
  publish({ topic, contentBytes, reliable }) {
    const number = reliable ? u16(0) : Buffer.alloc(0);
    const frame = packet(
      reliable ? PUBLISH_QOS_1 : PUBLISH_QOS_0,
      text(topic),
      number,
      Buffer.alloc(contentBytes, 0x78),
    );
    const contentAt = frame.length - contentBytes;
    return { frame, numberAt: reliable ? contentAt - 2 : undefined, contentAt };
  },
  writeNumber(frame, at, number) {
    frame.writeUInt16BE(((number - 1) % 0xffff) + 1, at);
  },
  lengthAt(bytes, at, end) {
    let length = 0;
    let shift = 0;
    for (let next = at + 1; next < end; next += 1) {
      const byte = bytes[next] ?? 0;
      length |= (byte & 0x7f) << shift;
      if (byte < 0x80) return next + 1 - at + length;
      shift += 7;
    }
    return 0;
  },
  kindAt(bytes, at) {
    switch ((bytes[at] ?? 0) >> 4) {
      case 2:
        return FrameKind.CONNECTED;
      case 3:
        return FrameKind.DELIVERY;
      case 9:
        return FrameKind.SUBSCRIBED;
      default:
        return FrameKind.OTHER;
    }
  },
  trailerBytes: 0,
  pong: Buffer.alloc(0),
  keepAlive: Buffer.from([0xc0, 0]),
  acknowledger: () => new PubAcks(),
};
