import type { Clock } from '../base/clock.ts';
import type { Counters } from '../base/counters.ts';
import { DropReport } from '../base/drop-report.ts';
import { HashikeError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { encodeSerialFrame, SerialDeframer } from '../wire/serial-frame.ts';
import type { Link, LinkCapabilities, LinkHandler } from './link.ts';
import type { SerialDevice } from './serial-device.ts';
import { SerialWriter } from './serial-writer.ts';

/** Waiting frames of the largest size over which `send` answers false, and over which frames are dropped. */
const HIGH_WATER_FRAMES = 4;
const MAX_WAITING_FRAMES = 16;
/** How long `close` waits for the line to take what is queued. */
const CLOSE_MS = 1000;

export interface SerialLinkOptions {
  readonly device: SerialDevice;
  /** `serial` and the name of the port. */
  readonly name: string;
  readonly path: string;
  readonly baud: number;
  readonly maxFrameBytes: number;
  readonly clock: Clock;
  readonly counters: Counters;
  readonly log: Log;
  /** Called for each chunk of the line. */
  onBytes(): void;
  /** Called when the device was given back, after the handler's `closed`. */
  onClosed(cause?: HashikeError): void;
}

/** An open serial port as a link (clause 7): it lives until the device goes away or somebody closes it. */
export class SerialLink implements Link {
  readonly name: string;
  readonly peer: string;
  readonly capabilities: LinkCapabilities;
  readonly #options: SerialLinkOptions;
  readonly #writer: SerialWriter;
  readonly #junk: DropReport;
  #handler: LinkHandler | undefined;
  #state: 'open' | 'closing' | 'closed' = 'open';
  /** Why it closed before anybody listened. */
  #early: { readonly cause: HashikeError | undefined } | undefined;

  constructor(options: SerialLinkOptions) {
    const { device, name, path, baud, maxFrameBytes, clock, counters } = options;
    this.#options = options;
    this.name = name;
    this.peer = path;
    this.capabilities = { reliable: false, shortForm: true, mtu: maxFrameBytes, bitRate: baud, place: path };
    const bytesOut = counters.counter('bytes_out', { link: name });
    this.#writer = new SerialWriter({
      clock,
      bitRate: baud,
      highWaterBytes: HIGH_WATER_FRAMES * maxFrameBytes,
      maxBytes: MAX_WAITING_FRAMES * maxFrameBytes,
      write: (bytes, taken) =>
        device.write(bytes, () => {
          bytesOut.add(bytes.length);
          taken();
        }),
      drained: () => this.#handler?.drained(),
    });
    this.#junk = new DropReport({
      place: name,
      text: 'skipped junk on the line',
      clock,
      counters,
      log: options.log,
    });
  }

  get queuedBytes(): number {
    return this.#writer.queuedBytes;
  }

  start(handler: LinkHandler): void {
    this.#handler = handler;
    if (this.#early) {
      handler.closed(this.#early.cause);
      return;
    }
    const { device, counters, maxFrameBytes } = this.#options;
    const bytesIn = counters.counter('bytes_in', { link: this.name });
    const deframer = new SerialDeframer({
      maxFrameBytes,
      handler: {
        frame: (frame) => {
          if (this.#state === 'open') handler.frame(frame);
        },
        discarded: (reason, bytes) => this.#junk.add(reason, { bytes }),
      },
    });
    device.start({
      data: (bytes) => {
        bytesIn.add(bytes.length);
        this.#options.onBytes();
        deframer.feed(bytes);
      },
      gone: (cause) => this.lose(cause),
    });
  }

  send(frame: Uint8Array): boolean {
    const { maxFrameBytes, counters } = this.#options;
    if (frame.length > maxFrameBytes) {
      throw new HashikeError(
        'HSK-1103',
        `a frame of ${frame.length} bytes is over the MTU of ${this.name}, ${maxFrameBytes} (maxFrameBytes)`,
      );
    }
    const answer = this.#writer.push(encodeSerialFrame(frame));
    // Whoever goes on sending after `false` loses frames, as on any lossy link, but costs no memory.
    if (answer === 'refused') counters.drops(this.name, 'queue-full').add();
    return answer === 'taken';
  }

  pause(): void {
    this.#options.device.pause();
  }

  resume(): void {
    this.#options.device.resume();
  }

  close(): void {
    if (this.#state !== 'open') return;
    this.#state = 'closing';
    const patience = this.#options.clock.after(CLOSE_MS, () => this.#end());
    this.#writer.whenEmpty(() => {
      patience.cancel();
      this.#end();
    });
  }

  /** Whether the path still names the device that is open. */
  deviceStillThere(): Promise<boolean> {
    return this.#options.device.stillThere();
  }

  /** The device is gone: closes at once, with the reason. */
  lose(cause: HashikeError): void {
    this.#end(cause);
  }

  #end(cause?: HashikeError): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#writer.stop();
    if (this.#handler) this.#handler.closed(cause);
    else this.#early = { cause };
    void this.#options.device.close().then(() => this.#options.onClosed(cause));
  }
}
