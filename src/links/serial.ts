import { basename } from 'node:path';
import { Backoff } from '../base/backoff.ts';
import type { Clock, Timer } from '../base/clock.ts';
import type { Counters } from '../base/counters.ts';
import { type ErrorCode, HashikeError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { Progress } from '../base/progress.ts';
import type { Random } from '../base/random.ts';
import type { Link, LinkSource } from './link.ts';
import { loadSerialDriver, type OpenSerialDevice, type SerialDevice } from './serial-device.ts';
import { SerialLink } from './serial-link.ts';

/** One entry of `serial` in the configuration. */
export interface SerialPortConfig {
  readonly path: string;
  readonly baud: number;
  readonly name?: string | undefined;
  readonly maxFrameBytes: number;
  readonly reopenMs: number;
}

export interface SerialSourceOptions {
  readonly config: SerialPortConfig;
  readonly clock: Clock;
  readonly random: Random;
  readonly counters: Counters;
  readonly log: Log;
  /** Loads the driver; tests give a device of their own. */
  readonly loadDriver?: () => Promise<OpenSerialDevice>;
}

/** How a port is, for `hashike status`. */
export interface SerialStatus {
  readonly name: string;
  readonly path: string;
  readonly baud: number;
  /** absent: no such device. failed: it is there and cannot be opened. */
  readonly state: 'open' | 'absent' | 'failed' | 'closed';
  /** Epoch ms since when it is so. */
  readonly since: number;
  /** Why it is not open, code included. */
  readonly error?: string | undefined;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Epoch ms of the last byte that came. */
  readonly lastByteAt?: number | undefined;
  readonly queuedBytes: number;
}

/** A device that opens and fails within this time, without one byte, is looked for ever less often, up to the second figure. */
const SHORT_LIFE_MS = 2000;
const MAX_REOPEN_MS = 10_000;
/** How late a look may be, or how long an opening may take, before the loop counts as stuck. */
const STUCK_MS = 30_000;

/** One serial port that comes and goes: each time its device is there it becomes a link. */
export class SerialSource implements LinkSource {
  readonly #options: SerialSourceOptions;
  readonly #name: string;
  readonly #log: Log;
  readonly #backoff: Backoff;
  #openDevice: OpenSerialDevice | undefined;
  #onLink: (link: Link) => void = () => undefined;
  #link: SerialLink | undefined;
  #status: Pick<SerialStatus, 'state' | 'since' | 'error'>;
  #lastByteAt: number | undefined;
  /** What the log has said of the present absence; the next try's error is news only when it differs. */
  #said: ErrorCode | undefined;
  #failing: ErrorCode | undefined;
  /** No earlier than this is the device opened. */
  #openAt = 0;
  #timer: Timer | undefined;
  #looking: Promise<void> | undefined;
  #looks = 0;
  #looksReported = 0;
  /** When the loop is late. */
  #stuckAt = Number.POSITIVE_INFINITY;
  #closing = false;
  #whenClosed: (() => void) | undefined;

  constructor(options: SerialSourceOptions) {
    const { config, clock, random, log } = options;
    this.#options = options;
    this.#name = `serial ${config.name ?? basename(config.path)}`;
    this.#log = log.child({ link: this.#name, path: config.path });
    this.#backoff = new Backoff({
      initialMs: config.reopenMs,
      maxMs: Math.max(config.reopenMs, MAX_REOPEN_MS),
      random,
    });
    this.#status = { state: 'closed', since: clock.wall() };
  }

  /** Resolves once the device was looked for; where it is missing the looking goes on. Throws HSK-2155 without a driver. */
  async open(onLink: (link: Link) => void): Promise<void> {
    this.#openDevice = await (this.#options.loadDriver ?? loadSerialDriver)();
    this.#onLink = onLink;
    await this.#look();
  }

  async close(): Promise<void> {
    this.#closing = true;
    this.#timer?.cancel();
    await this.#looking;
    if (this.#link) {
      const closed = new Promise<void>((resolve) => {
        this.#whenClosed = resolve;
      });
      this.#link.close();
      await closed;
    }
    this.#become('closed');
  }

  describe(): SerialStatus {
    const { config, counters } = this.#options;
    const labels = { link: this.#name };
    return {
      name: this.#name,
      path: config.path,
      baud: config.baud,
      ...this.#status,
      bytesIn: counters.counter('bytes_in', labels).value,
      bytesOut: counters.counter('bytes_out', labels).value,
      lastByteAt: this.#lastByteAt,
      queuedBytes: this.#link?.queuedBytes ?? 0,
    };
  }

  /** For the watchdog: the loop that looks after the device has come round, or is not due yet. */
  progress(): Progress {
    const looked = this.#looks !== this.#looksReported;
    this.#looksReported = this.#looks;
    if (looked) return 'advanced';
    return this.#options.clock.now() > this.#stuckAt ? 'stuck' : 'idle';
  }

  /** One round: is the device that is open still there, or is the one that is missing back? */
  async #look(): Promise<void> {
    this.#looks += 1;
    this.#stuckAt = this.#options.clock.now() + STUCK_MS;
    this.#looking = this.#link ? this.#check(this.#link) : this.#tryOpen();
    await this.#looking;
    if (this.#closing) return;
    const { clock, config } = this.#options;
    this.#stuckAt = clock.now() + config.reopenMs + STUCK_MS;
    this.#timer = clock.after(config.reopenMs, () => void this.#look());
  }

  /** The driver notices most unpluggings by itself, but not while reading is paused. */
  async #check(link: SerialLink): Promise<void> {
    const { path } = this.#options.config;
    if (await link.deviceStillThere()) return;
    link.lose(new HashikeError('HSK-2154', `${path} went away: it no longer names this device`, { path }));
  }

  async #tryOpen(): Promise<void> {
    const { config, clock } = this.#options;
    if (!this.#openDevice || clock.now() < this.#openAt) return;
    try {
      const device = await this.#openDevice(config.path, config.baud);
      if (this.#closing) await device.close();
      else this.#opened(device);
    } catch (error) {
      if (!(error instanceof HashikeError)) throw error;
      this.#failed(error);
    }
  }

  #opened(device: SerialDevice): void {
    const { config, clock, counters } = this.#options;
    const openedAt = clock.now();
    let heard = false;
    const link = new SerialLink({
      device,
      name: this.#name,
      path: config.path,
      baud: config.baud,
      maxFrameBytes: config.maxFrameBytes,
      clock,
      counters,
      log: this.#log,
      onBytes: () => {
        heard = true;
        this.#lastByteAt = clock.wall();
      },
      onClosed: (cause) => {
        if (heard || clock.now() - openedAt >= SHORT_LIFE_MS) this.#backoff.reset();
        else this.#openAt = clock.now() + this.#backoff.next();
        this.#closed(cause);
      },
    });
    this.#link = link;
    const absentMs = this.#said === undefined ? undefined : clock.wall() - this.#status.since;
    this.#log.info({ baud: config.baud, absentMs }, 'serial port open');
    this.#said = undefined;
    this.#failing = undefined;
    this.#become('open');
    this.#onLink(link);
  }

  #closed(cause: HashikeError | undefined): void {
    this.#link = undefined;
    this.#whenClosed?.();
    if (this.#closing) return;
    if (cause) {
      this.#options.counters.counter('link_lost', { link: this.#name }).add();
      this.#log.warn({ code: cause.code, cure: cause.cure }, `${cause.message}; looking for it`);
      // That it is missing from now on is no further news.
      this.#said = 'HSK-2150';
    }
    this.#become('absent', cause);
  }

  #failed(error: HashikeError): void {
    this.#become(error.code === 'HSK-2150' ? 'absent' : 'failed', error);
    // What shows only once is udev at work on a fresh device, whose permissions come a moment after it.
    const steady = this.#failing === error.code;
    this.#failing = error.code;
    if (!steady || this.#said === error.code) return;
    this.#said = error.code;
    this.#log.warn({ code: error.code, cure: error.cure }, `${error.message}; trying again`);
  }

  #become(state: SerialStatus['state'], error?: HashikeError): void {
    const since = state === this.#status.state ? this.#status.since : this.#options.clock.wall();
    this.#status = { state, since, error: error?.message };
  }
}
