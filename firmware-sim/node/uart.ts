import type { Clock } from '../clock.ts';
import { join } from '../codec/bytes.ts';
import { Deframer, wrap } from '../codec/framing.ts';
import type { BytePort } from '../line/byte-port.ts';

/** After a silence of this length a frame is led by a zero, which ends whatever noise came meanwhile (7.2). */
const QUIET_MS = 100;

export interface UartListener {
  frame(frame: Uint8Array): void;
  /** A run of bytes that was no frame. */
  dropped(): void;
}

/** The node's serial port: frames in and out, and when the line will be free. */
export class Uart {
  readonly #clock: Clock;
  readonly #port: BytePort;
  readonly #mtu: number;
  /** Milliseconds that a byte takes: 8N1 is ten bits. */
  readonly byteMs: number;
  #deframer: Deframer;
  #freeAt = 0;

  constructor(clock: Clock, port: BytePort, baud: number, mtu: number, listener: UartListener) {
    this.#clock = clock;
    this.#port = port;
    this.#mtu = mtu;
    this.byteMs = 10_000 / baud;
    this.#deframer = new Deframer(mtu);
    port.onData((bytes) => {
      const { dropped } = this.#deframer;
      const frames = this.#deframer.push(bytes);
      for (let count = dropped; count < this.#deframer.dropped; count++) listener.dropped();
      for (const frame of frames) listener.frame(frame);
    });
  }

  /** What was received in part is lost. */
  restart(): void {
    this.#deframer = new Deframer(this.#mtu);
  }

  /**
   * Puts a frame on the line; gives when its last byte will have left.
   * @param flush leads it with a zero in any case: a frame that everything else waits for.
   */
  send(frame: Uint8Array, flush = false): number {
    const quiet = this.#clock.now() - this.#freeAt >= QUIET_MS;
    return this.raw(flush || quiet ? join(Uint8Array.of(0), wrap(frame)) : wrap(frame));
  }

  /** Puts bytes on the line as they are. */
  raw(bytes: Uint8Array): number {
    this.#freeAt = Math.max(this.#freeAt, this.#clock.now()) + bytes.length * this.byteMs;
    this.#port.write(bytes);
    return this.#freeAt;
  }
}
