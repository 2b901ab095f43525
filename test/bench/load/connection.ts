import { createConnection, type Socket } from 'node:net';
import { FrameKind, type Acknowledger, type Protocol } from '../protocols/protocol.ts';

/** Told of the deliveries of one read. */
export interface DeliveryHandler {
  /** How many deliveries came. */
  delivered(count: number): void;
  /** Each delivery, where somebody wants to look into it. @param end offset after its frame */
  inspect?(bytes: Buffer, end: number): void;
}

const READ_BYTES = 256 * 1024;
/** One buffer for all: a read is worked off before the next one. */
const readBuffer = Buffer.allocUnsafe(READ_BYTES);
/** Enough of a frame to tell its length and kind, and to acknowledge it. */
const MAX_HEAD_BYTES = 512;

/** One client of the broker under load: writes what it is given, and counts what comes. */
export class Connection {
  readonly #protocol: Protocol;
  readonly #socket: Socket;
  readonly #acknowledger: Acknowledger;
  #handler: DeliveryHandler | undefined;
  /** Bytes still to come of the frame that a read ended in. */
  #skip = 0;
  /** The beginning of a frame, where a read ended in its head. */
  #head: Buffer | undefined;
  #connected = false;
  #subscribed = 0;
  #subscriptions = 0;
  #published = 0;
  #failed: Error | undefined;
  #progress: (() => void) | undefined;

  constructor(protocol: Protocol, port: number) {
    this.#protocol = protocol;
    this.#acknowledger = protocol.acknowledger();
    this.#socket = createConnection({
      port,
      host: '127.0.0.1',
      noDelay: true,
      onread: {
        buffer: readBuffer,
        callback: (bytesRead) => {
          this.#read(bytesRead);
          return true;
        },
      },
    });
    const end = (error: Error): void => {
      this.#failed ??= error;
      this.#progress?.();
    };
    this.#socket.on('error', end);
    this.#socket.on('close', () => end(new Error('the broker closed a connection')));
  }

  /** Why the connection is of no use any more. */
  get failed(): Error | undefined {
    return this.#failed;
  }

  onDeliveries(handler: DeliveryHandler): void {
    this.#handler = handler;
  }

  /** Resolves when the broker has taken the connection. */
  async hello(name: string, resumable: boolean): Promise<void> {
    this.write(this.#protocol.hello(name, resumable));
    await this.#until(() => this.#connected);
  }

  /** Resolves when the subscriptions are in force. */
  async subscribe(filters: readonly string[], reliable: boolean): Promise<void> {
    this.#subscriptions += 1;
    const wanted = this.#subscribed + 1;
    this.write(this.#protocol.subscribe(filters, this.#subscriptions, reliable));
    await this.#until(() => this.#subscribed >= wanted);
  }

  /** Gives numbers to `count` messages. */
  number(count: number): number {
    const first = this.#published + this.#subscriptions + 1;
    this.#published += count;
    return first;
  }

  write(bytes: Buffer): void {
    this.#socket.write(bytes);
  }

  keepAlive(): void {
    this.write(this.#protocol.keepAlive);
  }

  close(): void {
    this.#socket.destroy();
  }

  async #until(reached: () => boolean): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const timer = setTimeout(() => reject(new Error('the broker does not answer')), 20_000);
    this.#progress = () => {
      if (this.#failed) reject(this.#failed);
      else if (reached()) resolve();
    };
    this.#progress();
    try {
      await promise;
    } finally {
      clearTimeout(timer);
      this.#progress = undefined;
    }
  }

  #read(length: number): void {
    let bytes = readBuffer;
    let end = length;
    if (this.#head) {
      bytes = Buffer.concat([this.#head, readBuffer.subarray(0, length)]);
      end = bytes.length;
      this.#head = undefined;
    }
    const deliveries = this.#walk(bytes, end);
    const acknowledgement = this.#acknowledger.take();
    if (acknowledgement) this.write(acknowledgement);
    if (deliveries > 0) this.#handler?.delivered(deliveries);
    this.#progress?.();
  }

  /** Goes over the frames of one read; a frame counts as soon as its head is there. */
  #walk(bytes: Buffer, end: number): number {
    const protocol = this.#protocol;
    const handler = this.#handler;
    let deliveries = 0;
    let at = Math.min(this.#skip, end);
    this.#skip -= at;
    while (at < end) {
      const length = protocol.lengthAt(bytes, at, end);
      // What is acknowledged or looked into must be there as a whole; it is small.
      const whole =
        length > 0 && (at + length <= end || (length > MAX_HEAD_BYTES && end - at > MAX_HEAD_BYTES));
      if (!whole) {
        this.#head = Buffer.from(bytes.subarray(at, end));
        break;
      }
      const kind = protocol.kindAt(bytes, at);
      if (kind === FrameKind.DELIVERY) {
        deliveries += 1;
        this.#acknowledger.delivered(bytes, at);
        if (handler?.inspect) handler.inspect(bytes, at + length);
      } else {
        this.#control(kind);
      }
      at += length;
      if (at > end) this.#skip = at - end;
    }
    return deliveries;
  }

  #control(kind: FrameKind): void {
    if (kind === FrameKind.PING) this.write(this.#protocol.pong);
    if (kind === FrameKind.CONNECTED) this.#connected = true;
    // NATS answers what was sent, the connection as well as a subscription.
    if (kind === FrameKind.SUBSCRIBED) {
      if (this.#connected) this.#subscribed += 1;
      this.#connected = true;
    }
  }
}
