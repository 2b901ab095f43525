import type { Clock, Timer } from '../clock.ts';
import { toUint } from '../codec/bytes.ts';
import type { Random } from '../random.ts';
import type { Behaviour, Command, Host, Keeps } from './behaviour.ts';
import type { Channel } from './channel.ts';
import { Ledger } from './ledger.ts';
import type { Outbound, Reading } from './outbound.ts';
import { type Phase, Session, type SessionOptions } from './session.ts';

export interface NodeOptions extends SessionOptions {
  readonly random: Random;
  readonly behaviours?: readonly Behaviour[];
  /** Readings that are kept until they are acknowledged; default 10,000. */
  readonly outboxReadings?: number;
  /** Whether a node that wakes says RESUME first, and so gets its commands at once, or sends its data with no handshake; default false. */
  readonly resumeOnWake?: boolean;
}

const BOOT_MS = 50;
const BATCH_BYTES = 200;
const BATCH_READINGS = 20;
/** What a reading costs in a batch beyond its content, at most: age and length as varints. */
const BATCH_OVERHEAD = 7;

/**
 * A node on a serial line, as a device author would write it from docs/protocol.md: it takes readings, keeps them until the gateway has taken custody,
 * and does what its behaviours make it do. What survives when its power goes is said by `reboot`. The ledger is the experimenter's and forgets nothing.
 */
export class SimNode implements Host {
  readonly name: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly ledger: Ledger;
  readonly #options: NodeOptions;
  readonly #behaviours: readonly Behaviour[];
  readonly #channels: ReadonlyMap<string, Channel>;
  readonly #session: Session;
  /** Readings taken asleep, which wait to be sent together. */
  #pending: { readonly channel: Channel; readonly reading: Reading }[] = [];
  /** Readings kept, asleep or awake. */
  #waiting = 0;
  #boot: Timer | undefined;

  constructor(options: NodeOptions) {
    this.#options = options;
    this.name = options.name;
    this.clock = options.clock;
    this.random = options.random;
    this.ledger = new Ledger(options.name);
    this.#behaviours = options.behaviours ?? [];
    this.#channels = new Map(options.channels.map((channel) => [channel.topic, channel]));
    this.#session = new Session(options, {
      ledger: this.ledger,
      deliver: (command) => this.#deliver(command),
      settled: (outbound, rejected) => this.#settled(outbound, rejected),
    });
  }

  get phase(): Phase {
    return this.#session.phase;
  }

  get asleep(): boolean {
    return this.phase === 'asleep';
  }

  get settled(): boolean {
    return this.#waiting === 0;
  }

  /** Power on: RESUME where a context is left, else CONNECT_TOKEN. */
  start(): void {
    if (this.phase !== 'off') return;
    this.#boot?.cancel();
    this.#session.start();
    for (const behaviour of this.#behaviours) behaviour.start(this);
  }

  /** Power off, with all memory kept. The gateway is told nothing. */
  stop(): void {
    this.#boot?.cancel();
    for (const behaviour of this.#behaviours) behaviour.stop();
    this.#session.silence('off');
  }

  /** Ends the session with DISCONNECT and stops. What waits is kept for the next session. */
  disconnect(): void {
    this.#session.disconnect();
    this.stop();
  }

  take(topic: string, content: (sequence: number) => Uint8Array, reliable = true): void {
    const channel = this.#channels.get(topic);
    if (!channel) throw new Error(`${this.name} has no topic ${topic}`);
    const sequence = this.ledger.make(topic);
    const reading = { sequence, content: content(sequence), takenAt: this.clock.now() };
    if (!reliable) {
      this.#session.bestEffort(channel, reading);
      this.ledger.settle('bestEffort', topic, sequence);
    } else if (this.#waiting >= (this.#options.outboxReadings ?? 10_000)) {
      this.ledger.settle('overflowed', topic, sequence);
    } else {
      this.#waiting++;
      if (this.asleep) this.#pending.push({ channel, reading });
      else this.#session.sender.push({ kind: 'readings', channel, readings: [reading] });
    }
  }

  hold(held: boolean): void {
    this.#session.hold(held);
  }

  sleep(): void {
    if (this.phase === 'off' || this.asleep) return;
    this.ledger.count('sleep');
    this.#session.silence('asleep');
  }

  /** Back from sleep: sends in batches what was taken meanwhile. */
  wake(): void {
    if (!this.asleep) return;
    this.#batch();
    this.#session.wake(this.#options.resumeOnWake === true);
  }

  /** The power fails and comes back after 50 ms. */
  reboot(keeps: Keeps): void {
    if (this.phase === 'off') return;
    this.ledger.count(`reboot-keeping-${keeps}`, true);
    this.stop();
    if (keeps !== 'all') this.#session.forgetContext();
    if (keeps === 'nothing') this.#forget();
    this.#batch();
    this.#boot = this.clock.after(BOOT_MS, () => this.start());
  }

  junk(bytes: Uint8Array): void {
    if (this.phase !== 'off') this.#session.raw(bytes);
  }

  #forget(): void {
    const pending = this.#pending.map(({ channel, reading }) => ({ channel, readings: [reading] }));
    const queued = this.#session.sender.messages.filter((one) => one.kind === 'readings');
    for (const { channel, readings } of [...queued, ...pending])
      for (const { sequence } of readings) this.ledger.settle('forgotten', channel.topic, sequence);
    this.#session.sender.renumber([]);
    this.#pending = [];
    this.#waiting = 0;
  }

  /** Queues the readings taken asleep, as many together as a short frame takes. */
  #batch(): void {
    const pending = this.#pending;
    this.#pending = [];
    for (const channel of this.#channels.values()) {
      const readings = pending.filter((one) => one.channel === channel).map(({ reading }) => reading);
      const longest = Math.max(0, ...readings.map(({ content }) => content.length));
      const fitting = Math.max(1, Math.floor(BATCH_BYTES / (longest + BATCH_OVERHEAD)));
      // Without an alias a batch can't be said.
      const size = this.#options.aliasing === 'never' ? 1 : Math.min(BATCH_READINGS, fitting);
      for (let index = 0; index < readings.length; index += size) {
        const together = readings.slice(index, index + size);
        this.#session.sender.push({ kind: 'readings', channel, readings: together });
      }
    }
  }

  #settled(outbound: Outbound, rejected: boolean): void {
    if (outbound.kind === 'control') return;
    this.#waiting -= outbound.readings.length;
    const outcome = rejected ? 'rejected' : 'acknowledged';
    for (const { sequence } of outbound.readings)
      this.ledger.settle(outcome, outbound.channel.topic, sequence);
  }

  #deliver(command: Command): void {
    const { topic, content } = command;
    const number = content.length >= 4 ? toUint(content.subarray(0, 4)) : undefined;
    const hex = Buffer.from(content).toString('hex');
    this.ledger.command({ topic, content: hex, number, at: this.clock.wall() });
    for (const behaviour of this.#behaviours) behaviour.command?.(command);
  }
}
