import { HashikeError } from '../base/errors.ts';
import { contentSections } from '../wire/content.ts';
import { encodeMessage } from '../wire/long-form.ts';
import type { AliasEntry, Message, NumberedMessage } from '../wire/message.ts';
import { MessageType } from '../wire/numbers.ts';
import type { PublishView } from '../wire/publish-view.ts';
import { Aliases } from './aliases.ts';
import { Answers } from './answers.ts';
import { Dialect } from './dialect.ts';
import { earliest } from './earliest.ts';
import { Hearing } from './hearing.ts';
import { KeepAlive } from './keep-alive.ts';
import type {
  Age,
  BestEffort,
  Outgoing,
  SessionEffects,
  SessionMachine,
  SessionOptions,
  SessionOutlet,
  Transport,
} from './ports.ts';
import { Receiver } from './receiver.ts';
import { Sender } from './sender.ts';

/** Numbers stay below 2^32 - 1 (clause 5.1.4). */
const LAST_NUMBER = 0xffff_fffe;

/** Makes the state machine of one session (clauses 5 and 6). */
export function createSession(
  options: SessionOptions,
  effects: SessionEffects,
  outlet: SessionOutlet,
): SessionMachine {
  return new Session(options, effects, outlet);
}

/** A server has thousands of these: their parts know each other, and nothing is made for a session that it may never need. */
class Session implements SessionMachine {
  readonly #effects: SessionEffects;
  readonly #aliases: Aliases;
  readonly #dialect: Dialect;
  readonly #receiver: Receiver;
  readonly #sender: Sender;
  readonly #answers: Answers;
  readonly #hearing: Hearing;
  readonly #keepAlive: KeepAlive;
  #transport: Transport | undefined;

  constructor(options: SessionOptions, effects: SessionEffects, outlet: SessionOutlet) {
    const { side, epoch, sessionId, restored } = options;
    const aliases = new Aliases(options.aliases);
    const dialect = new Dialect({ side, epoch, aliases });
    const keepAlive = new KeepAlive(options.keepAliveMs);
    const receiver = new Receiver(options, aliases, effects, outlet);
    const answers = new Answers({ sessionId, dialect, receiver, aliases, restored });
    const sender = new Sender(options, { dialect, answers, keepAlive, outlet, effects });
    this.#effects = effects;
    this.#aliases = aliases;
    this.#dialect = dialect;
    this.#receiver = receiver;
    this.#sender = sender;
    this.#answers = answers;
    this.#keepAlive = keepAlive;
    this.#hearing = new Hearing({ dialect, aliases, receiver, sender, answers, keepAlive, effects });
  }

  get attached(): boolean {
    return this.#transport !== undefined;
  }

  get received(): number {
    return this.#receiver.received;
  }

  get settled(): number {
    return this.#receiver.settled;
  }

  get acknowledged(): number {
    return this.#sender.outbound.acknowledged;
  }

  get queuedBytes(): number {
    return this.#sender.outbound.bytes;
  }

  get aliases(): readonly AliasEntry[] {
    return this.#aliases.all;
  }

  get roundTripMs(): number | undefined {
    return this.#sender.window.roundTrip.smoothed;
  }

  attach(transport: Transport, now: number, peerReceived: number | undefined): void {
    this.detach();
    this.#transport = transport;
    this.#dialect.shortForm = transport.shortForm;
    this.#keepAlive.attach(now, transport.reliable);
    this.#sender.attach(transport, peerReceived === undefined);
    this.#receiver.attach(transport);
    this.#hearing.attach(transport);
    if (peerReceived !== undefined && this.#hearing.claimed(peerReceived)) this.#sender.pump(now);
  }

  detach(): void {
    this.#transport = undefined;
    this.#sender.detach();
    this.#receiver.detach();
    this.#answers.clear();
    this.#hearing.detach();
  }

  frame(bytes: Uint8Array, now: number): void {
    if (!this.#transport || this.#hearing.broken) return;
    this.#hearing.frame(bytes, now);
    this.#sender.pump(now);
  }

  frameBeside(bytes: Uint8Array, now: number): void {
    if (!this.#transport || this.#hearing.broken) return;
    this.#hearing.frameBeside(bytes, now);
    this.#sender.pump(now);
  }

  sendReliable(message: Outgoing, now: number, tag?: number): number | undefined {
    const { outbound } = this.#sender;
    const messageId = outbound.last + 1;
    if (messageId > LAST_NUMBER) {
      this.#effects.violated(new HashikeError('HSK-2004', 'the numbers of a session are used up'));
      return undefined;
    }
    const numbered: NumberedMessage = { ...message, messageId, timestamp: this.timestamp(now) };
    const frame = encodeChecked(numbered);
    if (!this.#sender.carries(frame.length)) {
      throw new HashikeError('HSK-2005', 'a message is longer than the link can carry', {
        length: frame.length,
        mtu: this.#transport?.mtu,
      });
    }
    if (!outbound.hasRoom(frame.length)) return undefined;
    outbound.push(frame, now, tag, this.#expiryOf(numbered, now));
    if (numbered.type === MessageType.ALIAS) this.#aliases.declareOurs(messageId, numbered.entries);
    if (messageId <= outbound.claimed) this.#hearing.covered(outbound.acknowledge(messageId));
    else this.#sender.pump(now);
    return messageId;
  }

  sendBestEffort(message: Parameters<SessionMachine['sendBestEffort']>[0], now: number): BestEffort {
    if (!this.#transport) {
      this.#effects.dropped('detached');
      return 'dropped';
    }
    const publish = { ...message, timestamp: this.timestamp(now) };
    const frame = encodeChecked(publish);
    if (this.#effects.transmitBeside?.(frame)) return 'sent';
    return this.#sender.bestEffort(this.#dialect.shorten(publish) ?? frame, now);
  }

  admit(messageId: number | undefined, timestamp: number): boolean {
    if (this.#hearing.broken || !this.#transport?.reliable || this.#transport.shortForm) return false;
    if (timestamp !== 0 && this.#hearing.wantsRoundTrip) return false;
    return messageId === undefined || this.#receiver.admit(messageId);
  }

  admitted(now: number): void {
    if (!this.#transport) return;
    if (this.#keepAlive.heard(now)) this.#effects.heard();
    this.#receiver.admitted(now);
    if (this.#receiver.acks.urgent) this.#sender.pump(now);
  }

  relayReliable(publish: PublishView, now: number): boolean {
    const { outbound } = this.#sender;
    const messageId = outbound.last + 1;
    const length = publish.deliveryLength(messageId);
    if (messageId > LAST_NUMBER || messageId <= outbound.claimed) return false;
    if (!this.#sender.isFree(length) || !outbound.hasRoom(length)) return false;
    outbound.push(publish.delivery(this.timestamp(now), messageId), now, undefined, undefined);
    this.#sender.pump(now);
    return true;
  }

  relayBestEffort(publish: PublishView, now: number): boolean {
    if (!this.#sender.isFree(publish.deliveryLength(undefined))) return false;
    this.#sender.relay(publish, this.timestamp(now), now);
    return true;
  }

  sendControl(message: Exclude<Message, NumberedMessage>, now: number): boolean {
    if (!this.#transport) return false;
    const frame = this.#dialect.encodeControl(message, this.settled);
    if (message.type !== MessageType.DISCONNECT) return this.#sender.control(frame, now);
    this.#sender.last(frame, now);
    return true;
  }

  sendResume(now: number): void {
    if (!this.#transport?.shortForm) return;
    this.#sender.window.hold();
    this.#answers.beginResume();
    this.#sender.pump(now);
  }

  settle(messageId: number, now: number): void {
    this.#receiver.settle(messageId, now);
    if (this.#receiver.acks.urgent) this.#sender.pump(now);
  }

  drained(now: number): void {
    this.#sender.drained();
    this.#sender.pump(now);
  }

  tick(now: number): void {
    if (!this.#transport) return;
    if (this.#keepAlive.fallsSilent(now)) {
      this.#effects.silent();
      if (!this.attached) return;
    }
    const { pingAt } = this.#keepAlive;
    if (pingAt !== undefined && pingAt <= now) this.#answers.owePing();
    this.#answers.tick(now);
    this.#sender.tick(now);
    this.#sender.pump(now);
  }

  get deadline(): number | undefined {
    if (!this.#transport || this.#hearing.broken) return undefined;
    const owedAt = earliest(this.#answers.dueAt, this.#keepAlive.pingAt);
    return earliest(this.#sender.deadline(owedAt), this.#keepAlive.silentAt);
  }

  age(timestamp: number, now: number): Age {
    return this.#dialect.age(timestamp, now, this.roundTripMs);
  }

  timestamp(now: number): number {
    return this.#dialect.timestamp(now);
  }

  /** EXPIRY counts from the moment the server receives the publish (clause 5.5.6), so not in the queue of a client. */
  #expiryOf(message: NumberedMessage, now: number): number | undefined {
    if (this.#dialect.side === 'client' || message.type !== MessageType.PUBLISH) return undefined;
    return message.expiry === undefined ? undefined : now + message.expiry;
  }
}

/** The long form of `message`, with its content proven to be sections. Throws HSK-1101, HSK-1102 and HSK-1105. */
function encodeChecked(message: NumberedMessage): Uint8Array {
  if (message.type === MessageType.PUBLISH) contentSections(message.content);
  return encodeMessage(message);
}
