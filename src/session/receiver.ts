import { MAX_SHORT_IN_FLIGHT, MessageType } from '../wire/numbers.ts';
import { AckSchedule } from './ack-schedule.ts';
import type { Aliases } from './aliases.ts';
import type { Numbered } from './dialect.ts';
import { Inbound } from './inbound.ts';
import type { Age, SessionEffects, SessionOptions, SessionOutlet, Transport } from './ports.ts';

/** A numbered message of the peer's and how old its content was when it came. */
interface Arrival {
  readonly message: Numbered;
  readonly age: Age;
  readonly at: number;
}

/**
 * Takes the peer's numbered messages in order and exactly once (clause 5.1.3), has them settled, and knows when an ACK is due. No more than `unsettledMessages` wait to be
 * settled: a reliable link is held then, on a lossy one the credit ends (clause 5.2.4).
 */
export class Receiver {
  readonly acks: AckSchedule;
  readonly #limits: SessionOptions['limits'];
  readonly #aliases: Aliases;
  readonly #effects: Pick<SessionEffects, 'receive' | 'dropped'>;
  readonly #outlet: Pick<SessionOutlet, 'hold'>;
  readonly #inbound: Inbound<Arrival>;
  #reliable = true;
  #holding = false;

  constructor(
    { received, limits }: Pick<SessionOptions, 'received' | 'limits'>,
    aliases: Aliases,
    effects: Pick<SessionEffects, 'receive' | 'dropped'>,
    outlet: Pick<SessionOutlet, 'hold'>,
  ) {
    this.#limits = limits;
    this.#aliases = aliases;
    this.#effects = effects;
    this.#outlet = outlet;
    this.#inbound = new Inbound({ received, reorderMessages: limits.reorderMessages });
    this.acks = new AckSchedule(received);
  }

  get received(): number {
    return this.#inbound.received;
  }

  get settled(): number {
    return this.#inbound.settled;
  }

  /** What an ACK says of it; undefined as long as the initial value holds (clause 6.4.1). It stays the same: `settled` moves instead. */
  get credit(): number | undefined {
    return this.#credit < MAX_SHORT_IN_FLIGHT ? this.#credit : undefined;
  }

  /** What a lossy link takes after the last number settled. */
  get #credit(): number {
    return Math.min(this.#limits.unsettledMessages, MAX_SHORT_IN_FLIGHT);
  }

  attach({ reliable }: Transport): void {
    this.#reliable = reliable;
    this.#holdIfFull();
  }

  detach(): void {
    this.#inbound.forgetEarly();
    this.#holding = false;
  }

  /** A numbered message came. False when it skips a number on a link that keeps order. */
  take(messageId: number, message: Numbered, age: Age, now: number): boolean {
    const { received } = this.#inbound;
    const next = messageId === received + 1;
    if (this.#reliable) {
      if (messageId > received + 1) return false;
      if (next) this.#process(message, age, now);
      else this.#repeated(messageId, now);
      return true;
    }
    if (messageId <= received) {
      this.#repeated(messageId, now);
    } else if (messageId > this.#inbound.settled + this.#credit) {
      this.#effects.dropped('over-credit');
      this.acks.hurry(now);
    } else if (next) {
      this.#process(message, age, now);
      this.#processEarly(now);
    } else {
      if (!this.#inbound.keep(messageId, { message, age, at: now })) this.#effects.dropped('too-early');
      // While older ones wait to be settled an ACK would name the wrong one as lost: theirs will follow.
      if (this.#inbound.unsettled === 0) this.acks.hurry(now);
    }
    return true;
  }

  /** A numbered message came that is carried out at once. False where `take` must see to it; `admitted` is to follow. */
  admit(messageId: number): boolean {
    return this.#inbound.advanceSettled(messageId);
  }

  /** Those that were admitted are to be acknowledged. */
  admitted(now: number): void {
    this.acks.moved(this.settled, true, now);
  }

  settle(messageId: number, now: number): void {
    if (!this.#inbound.settle(messageId)) return;
    const { settled, unsettled } = this.#inbound;
    this.acks.moved(settled, unsettled === 0, now);
    if (this.#holding && unsettled * 2 <= this.#limits.unsettledMessages) {
      this.#holding = false;
      this.#outlet.hold(false);
    }
  }

  /** A number already processed is acknowledged again, at once where the sender may have missed the ACK, and otherwise ignored. */
  #repeated(messageId: number, now: number): void {
    this.#effects.dropped('repeated');
    // One that waits to be settled has its ACK before it.
    if (messageId > this.#inbound.settled) return;
    if (this.#reliable) this.acks.owe(now);
    else this.acks.hurry(now);
  }

  #process(message: Numbered, age: Age, now: number): void {
    const messageId = this.#inbound.advance();
    if (message.type === MessageType.ALIAS) {
      this.#aliases.declareTheirs(messageId, message.entries);
      this.settle(messageId, now);
    } else {
      this.#effects.receive(message, age);
    }
    this.#holdIfFull();
  }

  #processEarly(now: number): void {
    for (let early = this.#inbound.takeNext(); early; early = this.#inbound.takeNext()) {
      this.#process(early.message, { ...early.age, ms: early.age.ms + now - early.at }, now);
    }
  }

  #holdIfFull(): void {
    if (!this.#reliable || this.#holding) return;
    if (this.#inbound.unsettled < this.#limits.unsettledMessages) return;
    this.#holding = true;
    this.#outlet.hold(true);
  }
}
