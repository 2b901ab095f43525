import { frameLength, type MessageStream } from './message-stream.ts';
import type { ByteStreamSink } from './tcp-reassembly.ts';

/** Opcodes of RFC 6455, 5.2. */
const CONTINUATION = 0;
const BINARY = 2;
const CLOSE = 8;
const PONG = 10;
/** Two bytes, eight of extended length, four of mask. */
const MAX_HEADER_BYTES = 14;
/** A data frame found in a search is not longer than this. */
const MAX_LIKELY_BYTES = 1_048_576;

interface FrameHeader {
  readonly headerLength: number;
  readonly final: boolean;
  readonly reserved: boolean;
  readonly opcode: number;
  readonly mask: Uint8Array | undefined;
  readonly payloadLength: number;
}

/**
 * Takes WebSocket's frames off one direction of a stream, after the HTTP upgrade: the binary messages, unmasked and with their
 * fragments joined, are a stream of messages of ours; other messages and control frames are passed over. Nothing is kept but the header of a frame.
 */
export class WebSocketStream implements ByteStreamSink {
  readonly #messages: MessageStream;
  /** Whether the frames of this side are masked, which is what tells a client. */
  readonly #masked: boolean;
  #header: Uint8Array = new Uint8Array(0);
  #mask: Uint8Array | undefined;
  #maskAt = 0;
  #payloadLeft = 0;
  /** Whether the frame at hand is part of a binary message, and whether the message is binary. */
  #ours = false;
  #messageIsBinary = false;
  #inStep = true;

  readonly #onForeign: () => void;

  /** @param onForeign called at each message that is not binary, or compressed. */
  constructor(messages: MessageStream, masked: boolean, onForeign: () => void) {
    this.#messages = messages;
    this.#masked = masked;
    this.#onForeign = onForeign;
  }

  feed(chunk: Uint8Array): void {
    let rest = chunk;
    while (rest.length > 0) {
      if (this.#payloadLeft > 0) {
        const payload = rest.subarray(0, this.#payloadLeft);
        this.#payload(payload);
        rest = rest.subarray(payload.length);
      } else {
        // Out of step it is hoped that a segment begins with a frame.
        if (!this.#inStep && !this.#mayBegin(rest)) {
          this.#messages.brokenOff(0, rest.length);
          return;
        }
        this.#inStep = true;
        rest = this.#takeHeader(rest);
      }
    }
  }

  gap(bytes: number): void {
    if (bytes <= this.#payloadLeft) {
      if (this.#ours) this.#messages.gap(bytes);
      this.#payloadLeft -= bytes;
      this.#maskAt = (this.#maskAt + bytes) % 4;
      return;
    }
    this.#messages.brokenOff(bytes, this.#header.length);
    this.#header = new Uint8Array(0);
    this.#payloadLeft = 0;
    this.#messageIsBinary = true;
    this.#inStep = false;
  }

  end(): void {
    this.#messages.end();
  }

  #payload(bytes: Uint8Array): void {
    this.#payloadLeft -= bytes.length;
    if (!this.#ours) return;
    const mask = this.#mask;
    this.#messages.feed(
      mask ? bytes.map((byte, index) => byte ^ (mask[(this.#maskAt + index) % 4] ?? 0)) : bytes,
    );
    this.#maskAt = (this.#maskAt + bytes.length) % 4;
  }

  /** Collects the header of a frame; returns what comes after it. */
  #takeHeader(bytes: Uint8Array): Uint8Array {
    const before = this.#header.length;
    const joined = new Uint8Array(Math.min(before + bytes.length, MAX_HEADER_BYTES));
    joined.set(this.#header);
    joined.set(bytes.subarray(0, joined.length - before), before);
    const header = readHeader(joined);
    if (!header) {
      this.#header = joined;
      return bytes.subarray(bytes.length);
    }
    this.#header = new Uint8Array(0);
    this.#begin(header);
    return bytes.subarray(header.headerLength - before);
  }

  #begin({ opcode, reserved, mask, payloadLength }: FrameHeader): void {
    if (opcode < CLOSE && opcode !== CONTINUATION) {
      this.#messageIsBinary = opcode === BINARY && !reserved;
      if (!this.#messageIsBinary) this.#onForeign();
    }
    this.#ours = opcode < CLOSE && this.#messageIsBinary;
    this.#mask = mask;
    this.#maskAt = 0;
    this.#payloadLeft = payloadLength;
  }

  /** Whether a frame of this side, with a message of ours in it, may begin here. */
  #mayBegin(bytes: Uint8Array): boolean {
    const header = readHeader(bytes.subarray(0, MAX_HEADER_BYTES));
    if (!header || header.reserved || (header.mask !== undefined) !== this.#masked) return false;
    const { opcode, final, mask, payloadLength, headerLength } = header;
    if (opcode >= CLOSE) return opcode <= PONG && final && payloadLength <= 125;
    if (opcode !== BINARY || payloadLength === 0 || payloadLength > MAX_LIKELY_BYTES) return false;
    const first = bytes.subarray(headerLength, headerLength + 4);
    return (
      first.length === 4 && frameLength(first.map((byte, index) => byte ^ (mask?.[index] ?? 0))) !== undefined
    );
  }
}

/** `FIN RSV1-3 opcode | MASK length7 | [length u16 or u64] | [mask]`; undefined while it is not whole. */
function readHeader(bytes: Uint8Array): FrameHeader | undefined {
  const [first = 0, second = 0] = bytes;
  const length7 = second & 0x7f;
  const extended = length7 === 126 ? 2 : length7 === 127 ? 8 : 0;
  const masked = (second & 0x80) !== 0;
  const headerLength = 2 + extended + (masked ? 4 : 0);
  if (bytes.length < headerLength) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const payloadLength =
    extended === 0 ? length7 : extended === 2 ? view.getUint16(2) : Number(view.getBigUint64(2));
  return {
    headerLength,
    final: (first & 0x80) !== 0,
    reserved: (first & 0x70) !== 0,
    opcode: first & 0x0f,
    mask: masked ? bytes.slice(headerLength - 4, headerLength) : undefined,
    payloadLength,
  };
}
