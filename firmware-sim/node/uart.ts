import type { Clock } from '../clock.ts';
import { join } from '../codec/bytes.ts';
import { Deframer, wrap } from '../codec/framing.ts';
import type { BytePort } from '../line/byte-port.ts';

/** After a silence of this length a frame is led by a zero, which ends whatever noise came meanwhile (7.2). */
const QUIET_MS = 100;

/** The node's serial port: frames in and out, and when the line will be free. */
export class Uart {
  readonly #clock: Clock;
  readonly #port: BytePort;
  readonly #mtu: number;
  /** Milliseconds that a byte takes: 8N1 is ten bits. */
  readonly byteMs: number;
  #deframer: Deframer;
  #freeAt = 0;

  constructor(clock: Clock, port: BytePort, baud: number, mtu: number, onFrame: (frame: Uint8Array) => void) {
    this.#clock = clock;
    this.#port = port;
    this.#mtu = mtu;
    this.byteMs = 10_000 / baud;
    this.#deframer = new Deframer(mtu);
    port.onData((bytes) => {
      for (const frame of this.#deframer.push(bytes)) onFrame(frame);
    });
  }

  /** Runs of bytes that were no frame, since the last restart. */
  get dropped(): number {
    return this.#deframer.dropped;
  }

  /** When the last byte given so far will have left. */
  get freeAt(): number {
    return this.#freeAt;
  }

  /** What was received in part is lost. */
  restart(): void {
    this.#deframer = new Deframer(this.#mtu);
  }

  /** Puts a frame on the line; gives when its last byte will have left. */
  send(frame: Uint8Array): number {
    const quiet = this.#clock.now() - this.#freeAt >= QUIET_MS;
    return this.raw(quiet ? join(Uint8Array.of(0), wrap(frame)) : wrap(frame));
  }

  /** Puts bytes on the line as they are. */
  raw(bytes: Uint8Array): number {
    this.#freeAt = Math.max(this.#freeAt, this.#clock.now()) + bytes.length * this.byteMs;
    this.#port.write(bytes);
    return this.#freeAt;
  }
}
