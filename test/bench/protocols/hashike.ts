import { FrameKind, type Acknowledger, type Protocol } from './protocol.ts';

const HEADER_BYTES = 8;
const PUBLISH = 0x0022;
const MESSAGE_ID = 0x0105;
/** Clause 5.2.1. */
const MOST_UNACKNOWLEDGED = 32;

/** The token of every client of the load generator: `peers/hashike.ts` configures it. */
export const BENCH_TOKEN = 'bench';

function section(type: number, value: Buffer): Buffer {
  const bytes = Buffer.alloc(4 + ((value.length + 3) & ~3));
  bytes.writeUInt16BE(type, 0);
  bytes.writeUInt16BE(value.length, 2);
  value.copy(bytes, 4);
  return bytes;
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function message(type: number, ...sections: readonly Buffer[]): Buffer {
  const payload = Buffer.concat(sections);
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt16BE(type, 0);
  header.writeUInt16BE(payload.length, 2);
  return Buffer.concat([header, payload]);
}

/** Cumulative ACKs: one for what a read brought. */
class CumulativeAcks implements Acknowledger {
  #last = 0;
  #told = 0;
  #due: Buffer | undefined;

  delivered(bytes: Buffer, at: number): void {
    if (bytes.readUInt16BE(at + HEADER_BYTES) !== MESSAGE_ID) return;
    this.#last = bytes.readUInt32BE(at + HEADER_BYTES + 4);
    if (this.#last - this.#told >= MOST_UNACKNOWLEDGED) this.#tell();
  }

  take(): Buffer | undefined {
    if (this.#last > this.#told) this.#tell();
    const due = this.#due;
    this.#due = undefined;
    return due;
  }

  #tell(): void {
    this.#told = this.#last;
    const ack = message(0x0023, section(MESSAGE_ID, u32(this.#last)));
    this.#due = this.#due ? Buffer.concat([this.#due, ack]) : ack;
  }
}

/** The long form. */
export const hashikeProtocol: Protocol = {
  hello: (name) =>
    message(0x0001, section(0x0101, Buffer.from(BENCH_TOKEN)), section(0x010d, Buffer.from(name))),
  subscribe: (filters, number, reliable) =>
    message(
      0x0020,
      section(MESSAGE_ID, u32(number)),
      ...filters.map((filter) => section(0x0106, Buffer.from(filter))),
      ...(reliable ? [] : [section(0x0115, Buffer.alloc(0))]),
    ),
  publish({ topic, contentBytes, reliable }) {
    const head = [section(0x0106, Buffer.from(topic))];
    if (reliable) head.unshift(section(MESSAGE_ID, u32(0)));
    const content = section(0x8001, Buffer.alloc(contentBytes, 0x78));
    const frame = message(PUBLISH, ...head, content);
    return {
      frame,
      numberAt: reliable ? HEADER_BYTES + 4 : undefined,
      contentAt: frame.length - content.length + 4,
    };
  },
  writeNumber(frame, at, number) {
    frame.writeUInt32BE(number, at);
  },
  lengthAt: (bytes, at, end) =>
    end - at < HEADER_BYTES ? 0 : HEADER_BYTES + ((bytes[at + 2] ?? 0) << 8) + (bytes[at + 3] ?? 0),
  kindAt(bytes, at) {
    switch (bytes[at + 1] ?? 0) {
      case 0x22:
        return FrameKind.DELIVERY;
      case 0x03:
        return FrameKind.CONNECTED;
      case 0x23:
        return FrameKind.SUBSCRIBED;
      case 0x42:
        return FrameKind.PING;
      default:
        return FrameKind.OTHER;
    }
  },
  trailerBytes: 0,
  pong: message(0x0043, section(0x010c, u32(0))),
  keepAlive: message(0x0042),
  acknowledger: () => new CumulativeAcks(),
};
