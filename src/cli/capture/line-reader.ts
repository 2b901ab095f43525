import { MAX_PAYLOAD_BYTES, MESSAGE_HEADER_BYTES } from '../../wire/numbers.ts';
import { type SerialDiscard, SerialDeframer } from '../../wire/serial-frame.ts';

const DELIMITER = 0x00;
/** Whatever MTU the line has, no frame is longer than the longest message. */
const MAX_FRAME_BYTES = MESSAGE_HEADER_BYTES + MAX_PAYLOAD_BYTES;

export interface LineSink {
  /** @param offset of the frame's first byte in what was fed. */
  frame(frame: Uint8Array, offset: number): void;
  skipped(reason: SerialDiscard | 'open', bytes: number, offset: number): void;
}

/** Reads the frames of a captured serial line (clause 7), and tells where each of them stands. */
export class LineReader {
  readonly #sink: LineSink;
  readonly #deframer: SerialDeframer;
  #position = 0;
  /** Where the frame at hand begins. */
  #start = 0;

  constructor(sink: LineSink) {
    this.#sink = sink;
    this.#deframer = new SerialDeframer({
      maxFrameBytes: MAX_FRAME_BYTES,
      handler: {
        frame: (frame) => this.#sink.frame(frame, this.#start),
        discarded: (reason, bytes) => this.#sink.skipped(reason, bytes, this.#start),
      },
    });
  }

  feed(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length;) {
      const delimiter = bytes.indexOf(DELIMITER, at);
      const end = delimiter === -1 ? bytes.length : delimiter + 1;
      this.#deframer.feed(bytes.subarray(at, end));
      this.#position += end - at;
      if (delimiter !== -1) this.#start = this.#position;
      at = end;
    }
  }

  /** The line ends here: a frame that is not closed is none. */
  end(): void {
    if (this.#position > this.#start) this.#sink.skipped('open', this.#position - this.#start, this.#start);
  }
}
