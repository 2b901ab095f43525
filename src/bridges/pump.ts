import { Backoff } from '../base/backoff.ts';
import type { Clock, Timer } from '../base/clock.ts';
import { describeError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { Progress } from '../base/progress.ts';
import type { Random } from '../base/random.ts';
import type { SpoolConsumer, StoredPublication } from '../spool/ports.ts';
import { SettledRecords } from './settled-records.ts';
import { Suspicion } from './suspicion.ts';

/**
 * What became of a message upstream: taken; not now, send it again (after a bounded number of tries it counts as refused, unless
 * `forever`); or refused for good. `reason` is kebab-case, from a small fixed set.
 */
export type Verdict =
  | { readonly kind: 'taken' }
  | { readonly kind: 'again'; readonly reason: string; readonly forever: boolean }
  | { readonly kind: 'refused'; readonly reason: string };

/** One connection upstream, as the pump sees it. */
export interface Uplink {
  /** Sends one message, at once. Resolves with the answer, or never when the connection is lost before it comes. */
  send(record: StoredPublication): Promise<Verdict>;
}

export interface PumpOptions {
  readonly consumer: SpoolConsumer;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Takes a message that can never pass into keeping. */
  refuse(record: StoredPublication, reason: string): Promise<void>;
  /** The upstream answers nothing: the owner drops the connection. */
  stalled(): void;
  /** The upstream took a message. */
  taken(): void;
  /** Nothing more will be done with a message, taken or refused for good: said of each, in their order. */
  settled(record: StoredPublication): void;
}

interface InFlight {
  readonly record: StoredPublication;
  readonly weight: number;
  state: 'sent' | 'again' | 'keeping' | 'settled';
  sentAt: number;
  tries: number;
}

/** Content bytes that may be in flight at once; one message always may. */
const MAX_BYTES_IN_FLIGHT = 1024 * 1024;
/** Bytes that a message weighs beyond its content. */
const OVERHEAD_BYTES = 256;
const READ_RECORDS = 256;
/** How long the upstream may leave a message unanswered. */
export const ANSWER_MS = 30_000;
/** How late what is due may be before the watchdog hears of it. */
const LATE_MS = 30_000;
const RETRY_MS = { initialMs: 1000, maxMs: 60_000 };
/** Tries of a message that the upstream refuses without saying that it is for good. */
const MAX_TRIES = 10;

/**
 * Moves what waits on disk for one consumer to the upstream: in order, a bounded number in flight, deleted once answered. What was not
 * answered when a connection ends is read from disk again for the next one. A message that cannot pass does not hold up the others:
 * it goes to `refuse`.
 */
export class Pump {
  readonly #options: PumpOptions;
  readonly #retry: Backoff;
  readonly #settled: SettledRecords;
  readonly #suspicion = new Suspicion();
  readonly #stopListening: () => void;
  #uplink: Uplink | undefined;
  #window = 0;
  /** Read, and not yet sent. */
  #buffer: StoredPublication[] = [];
  /** Sent, in order; the settled ones at its head are taken off. */
  #inFlight: InFlight[] = [];
  #bytes = 0;
  /** Last seq read. */
  #read = 0;
  #mayHaveMore = true;
  #reading = false;
  #answerTimer: Timer | undefined;
  #retryTimer: Timer | undefined;
  #retryAt = 0;
  /** Nothing new is sent: the bridge is about to close. */
  #finishing = false;
  /** The answers of this connection so far. */
  #answers = 0;
  /** A message is on its way to `refuse` while no connection is up. */
  #keepingSuspect = false;
  #steps = 0;
  #stepsReported = 0;
  #lastStepAt: number;

  constructor(options: PumpOptions) {
    this.#options = options;
    this.#retry = new Backoff({ ...RETRY_MS, random: options.random });
    this.#settled = new SettledRecords(options);
    this.#lastStepAt = options.clock.now();
    this.#stopListening = options.consumer.onAppended(() => {
      this.#mayHaveMore = true;
      this.#fill();
    });
  }

  get inFlight(): number {
    return this.#inFlight.length;
  }

  /** Begins with the first message that is not settled. @param window messages in flight at most. */
  start(uplink: Uplink, window: number): void {
    this.#uplink = uplink;
    this.#window = window;
    this.#finishing = false;
    this.#answers = 0;
    this.#rewind();
    this.#step();
    this.#fill();
  }

  /** Sends nothing new; answers still count. */
  finish(): void {
    this.#finishing = true;
  }

  /** The connection is gone. @param blamed the upstream said that a message was at fault. */
  stop(blamed = false): void {
    if (!this.#uplink) return;
    this.#uplink = undefined;
    this.#answerTimer?.cancel();
    this.#answerTimer = undefined;
    this.#retryTimer?.cancel();
    this.#retryTimer = undefined;
    this.#retry.reset();
    this.#step();
    this.#judge(blamed);
    this.#rewind();
  }

  /** Waits until what was settled is deleted from disk. */
  async close(): Promise<void> {
    this.stop();
    this.#stopListening();
    await this.#settled.close();
  }

  /** For the watchdog. Without a connection it has nothing to do. */
  progress(): Progress {
    const advanced = this.#steps !== this.#stepsReported;
    this.#stepsReported = this.#steps;
    if (advanced) return 'advanced';
    if (!this.#uplink || this.#finishing) return 'idle';
    const now = this.#options.clock.now();
    const oldest = this.#inFlight.find(({ state }) => state === 'sent');
    if (oldest) return now > oldest.sentAt + ANSWER_MS + LATE_MS ? 'stuck' : 'idle';
    if (this.#retryTimer) return now > this.#retryAt + LATE_MS ? 'stuck' : 'idle';
    const waits = this.#reading || this.#options.consumer.depth.messages > 0;
    return waits && now > this.#lastStepAt + LATE_MS ? 'stuck' : 'idle';
  }

  #step(): void {
    this.#steps += 1;
    this.#lastStepAt = this.#options.clock.now();
  }

  #rewind(): void {
    this.#buffer = [];
    this.#inFlight = [];
    this.#bytes = 0;
    this.#read = this.#settled.upTo;
    this.#mayHaveMore = true;
  }

  /** Sends as much as the window lets through, and reads on ahead. */
  #fill(): void {
    const uplink = this.#uplink;
    if (!uplink || this.#finishing || this.#retryTimer || this.#keepingSuspect) return;
    const window = this.#suspicion.active ? 1 : this.#window;
    while (this.#inFlight.length < window) {
      const [record] = this.#buffer;
      if (!record) break;
      const weight = record.publication.content.length + OVERHEAD_BYTES;
      if (this.#inFlight.length > 0 && this.#bytes + weight > MAX_BYTES_IN_FLIGHT) break;
      this.#buffer.shift();
      const message: InFlight = { record, weight, state: 'sent', sentAt: 0, tries: 0 };
      this.#inFlight.push(message);
      this.#bytes += weight;
      void this.#send(uplink, message);
    }
    if (this.#buffer.length < this.#window && this.#mayHaveMore && !this.#reading) void this.#readOn();
  }

  async #readOn(): Promise<void> {
    const uplink = this.#uplink;
    this.#reading = true;
    this.#mayHaveMore = false;
    try {
      const records = await this.#options.consumer.read(this.#read, READ_RECORDS);
      this.#reading = false;
      // What was read for a connection that is gone is read again from where the next one begins.
      if (uplink !== this.#uplink) this.#mayHaveMore = true;
      else if (records.length > 0) {
        this.#buffer.push(...records);
        this.#read = records.at(-1)?.seq ?? this.#read;
        this.#mayHaveMore = true;
        this.#step();
      }
      this.#fill();
    } catch (error) {
      this.#reading = false;
      this.#mayHaveMore = true;
      this.#options.log.error({ error: describeError(error) }, 'the spool cannot be read; trying again');
      if (uplink === this.#uplink) this.#pause();
    }
  }

  async #send(uplink: Uplink, message: InFlight): Promise<void> {
    message.state = 'sent';
    message.sentAt = this.#options.clock.now();
    message.tries += 1;
    this.#watchAnswers();
    const verdict = await uplink.send(message.record).catch((error: unknown): Verdict => {
      this.#options.log.error({ error: describeError(error) }, 'a message cannot be made for the upstream');
      return { kind: 'refused', reason: 'cannot-be-made' };
    });
    if (uplink === this.#uplink) this.#answered(uplink, message, verdict);
  }

  #answered(uplink: Uplink, message: InFlight, verdict: Verdict): void {
    this.#answers += 1;
    this.#suspicion.clear(message.record.seq);
    this.#step();
    switch (verdict.kind) {
      case 'taken':
        this.#options.taken();
        this.#settle(message);
        if (this.#inFlight.every(({ state }) => state !== 'again')) this.#retry.reset();
        break;
      case 'again':
        if (verdict.forever || message.tries < MAX_TRIES) this.#sendLater(message, verdict.reason);
        else void this.#keep(uplink, message, verdict.reason);
        break;
      case 'refused':
        void this.#keep(uplink, message, verdict.reason);
        break;
    }
    this.#fill();
  }

  /** Takes the settled messages off the head and deletes them from disk. */
  #settle(message: InFlight): void {
    message.state = 'settled';
    this.#bytes -= message.weight;
    const left = this.#inFlight.findIndex(({ state }) => state !== 'settled');
    const settled = this.#inFlight.splice(0, left === -1 ? this.#inFlight.length : left);
    for (const { record } of settled) this.#options.settled(record);
    const last = settled.at(-1);
    if (last) this.#settled.advance(last.record.seq);
  }

  async #keep(uplink: Uplink, message: InFlight, reason: string): Promise<void> {
    message.state = 'keeping';
    try {
      await this.#options.refuse(message.record, reason);
      if (uplink === this.#uplink) this.#settle(message);
    } catch (error) {
      if (uplink === this.#uplink) this.#sendLater(message, describeError(error));
    }
    this.#fill();
  }

  /** Nothing is sent for a while; then this message goes again before any new one. */
  #sendLater(message: InFlight, reason: string): void {
    message.state = 'again';
    this.#options.log.debug({ seq: message.record.seq, reason }, 'the upstream does not take a message now');
    this.#pause();
  }

  #pause(): void {
    if (this.#retryTimer) return;
    const ms = this.#retry.next();
    this.#retryAt = this.#options.clock.now() + ms;
    this.#retryTimer = this.#options.clock.after(ms, () => {
      this.#retryTimer = undefined;
      this.#step();
      const uplink = this.#uplink;
      const again = this.#inFlight.filter(({ state }) => state === 'again');
      if (uplink) for (const message of again) void this.#send(uplink, message);
      this.#fill();
    });
  }

  /** Has the connection dropped when the oldest message stays unanswered. */
  #watchAnswers(): void {
    if (this.#answerTimer) return;
    const oldest = this.#inFlight.find(({ state }) => state === 'sent');
    if (!oldest) return;
    const { clock } = this.#options;
    this.#answerTimer = clock.after(oldest.sentAt + ANSWER_MS - clock.now(), () => {
      this.#answerTimer = undefined;
      const late = this.#inFlight.some(
        ({ state, sentAt }) => state === 'sent' && clock.now() >= sentAt + ANSWER_MS,
      );
      if (late) this.#options.stalled();
      else this.#watchAnswers();
    });
  }

  /** A connection ended: was it one of the messages in flight that ended it? */
  #judge(blamed: boolean): void {
    const sent = this.#inFlight.filter(({ state }) => state === 'sent');
    const [first] = sent;
    const convicted = this.#suspicion.judge({
      unanswered: sent.map(({ record }) => record.seq),
      inFront: first === this.#inFlight[0],
      answers: this.#answers,
      blamed,
    });
    if (first && convicted) void this.#keepSuspect(first.record);
  }

  async #keepSuspect(record: StoredPublication): Promise<void> {
    this.#keepingSuspect = true;
    try {
      await this.#options.refuse(record, 'ends-the-connection');
      this.#suspicion.clear(record.seq);
      this.#options.settled(record);
      this.#settled.advance(record.seq);
      this.#rewind();
    } catch (error) {
      this.#options.log.error({ error: describeError(error) }, 'a refused message cannot be kept');
    }
    this.#keepingSuspect = false;
    this.#fill();
  }
}
