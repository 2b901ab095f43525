import { HashikeError, type ErrorCode } from '../base/errors.ts';
import { contentSections } from '../wire/content.ts';
import { encodeMessage } from '../wire/long-form.ts';
import type { AliasEntry, Message, NumberedMessage } from '../wire/message.ts';
import { MessageType } from '../wire/numbers.ts';
import type { PublishView } from '../wire/publish-view.ts';
import { Aliases } from './aliases.ts';
import { Answers } from './answers.ts';
import { Dialect, type Heard, type Numbered, type Situation } from './dialect.ts';
import { earliest } from './earliest.ts';
import { FragmentJoiner } from './fragments.ts';
import { KeepAlive } from './keep-alive.ts';
import { Line } from './line.ts';
import type { Covered } from './outbound.ts';
import type {
  Age,
  BestEffort,
  Outgoing,
  SessionEffects,
  SessionMachine,
  SessionOptions,
  Transport,
} from './ports.ts';
import { Receiver } from './receiver.ts';
import { Sender } from './sender.ts';
import { ageOf, timestampAt } from './session-clock.ts';

/** Numbers stay below 2^32 - 1 (clause 5.1.4). */
const LAST_NUMBER = 0xffff_fffe;

/** Makes the state machine of one session (clauses 5 and 6). */
export function createSession(options: SessionOptions, effects: SessionEffects): SessionMachine {
  return new Session(options, effects);
}

class Session implements SessionMachine {
  readonly #options: SessionOptions;
  readonly #effects: SessionEffects;
  readonly #aliases: Aliases;
  readonly #dialect: Dialect;
  readonly #receiver: Receiver;
  readonly #sender: Sender;
  readonly #answers: Answers;
  readonly #joiner: FragmentJoiner;
  readonly #keepAlive: KeepAlive;
  #transport: Transport | undefined;
  /** The peer broke the protocol on this link, or has lost state: nothing it says counts any more. */
  #broken = false;
  #confirmed = 0;

  constructor(options: SessionOptions, effects: SessionEffects) {
    this.#options = options;
    this.#effects = effects;
    const { side, epoch, limits, dropped } = options;
    this.#aliases = new Aliases(options.aliases);
    this.#dialect = new Dialect({ side, epoch, aliases: this.#aliases });
    this.#joiner = new FragmentJoiner(() => dropped('fragment-lost'));
    this.#keepAlive = new KeepAlive(options.keepAliveMs);
    this.#receiver = new Receiver({
      received: options.received,
      limits,
      aliases: this.#aliases,
      receive: (message, age) => effects.receive(message, age),
      hold: (held) => effects.hold(held),
      dropped,
    });
    this.#sender = new Sender({
      sent: options.sent,
      restored: options.restored,
      sendQueueBytes: limits.sendQueueBytes,
      transmit: (frame) => effects.transmit(frame),
      relay: (publish, timestamp) => effects.relay(publish, timestamp),
      transmitted: (now) => this.#keepAlive.sent(now),
      encode: (entry, now) => {
        if (entry.leftAt === 0 && (entry.expiresAt ?? Infinity) <= now) dropped('expired');
        return this.#dialect.encodeEntry(entry, now);
      },
      owed: (now) => this.#answers.next(now),
      dropped,
      tooLong: (error) => effects.violated(error),
    });
    this.#answers = new Answers({
      sessionId: options.sessionId,
      dialect: this.#dialect,
      receiver: this.#receiver,
      sender: this.#sender,
      aliases: this.#aliases,
      restored: options.restored,
    });
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
    return this.#sender.roundTrip.smoothed;
  }

  attach(transport: Transport, now: number, peerReceived: number | undefined): void {
    this.detach();
    this.#transport = transport;
    this.#dialect.shortForm = transport.shortForm;
    this.#keepAlive.attach(now, transport.reliable);
    this.#sender.attach(transport, peerReceived === undefined);
    this.#receiver.attach(transport);
    if (peerReceived === undefined) return;
    if (!this.#sender.outbound.canHave(peerReceived)) {
      this.#violated(neverSent(peerReceived));
      return;
    }
    if (peerReceived < this.acknowledged) {
      this.#stateLost(peerReceived);
      return;
    }
    this.#covered(this.#sender.resumed(peerReceived));
    this.#sender.pump(now);
  }

  detach(): void {
    this.#transport = undefined;
    this.#broken = false;
    this.#sender.detach();
    this.#receiver.detach();
    this.#answers.clear();
    this.#joiner.clear();
  }

  frame(bytes: Uint8Array, now: number): void {
    if (!this.#transport || this.#broken) return;
    this.#listen(bytes, now, false);
    this.#sender.pump(now);
  }

  frameBeside(bytes: Uint8Array, now: number): void {
    if (!this.#transport || this.#broken) return;
    let heard: Heard;
    try {
      heard = this.#dialect.decode(bytes, this.#situation(bytes, now));
    } catch (error) {
      if (!(error instanceof HashikeError)) throw error;
      this.#drop(error);
      return;
    }
    if (heard.kind !== 'other' || heard.message.type !== MessageType.PUBLISH) {
      this.#options.dropped('unexpected-message');
      return;
    }
    this.#obey(heard, now);
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
    if (messageId <= outbound.claimed) this.#covered(outbound.acknowledge(messageId));
    else this.#sender.pump(now);
    return messageId;
  }

  sendBestEffort(message: Parameters<SessionMachine['sendBestEffort']>[0], now: number): BestEffort {
    if (!this.#transport) {
      this.#options.dropped('detached');
      return 'dropped';
    }
    const publish = { ...message, timestamp: this.timestamp(now) };
    const frame = encodeChecked(publish);
    if (this.#effects.transmitBeside?.(frame)) return 'sent';
    return this.#sender.bestEffort(this.#dialect.shorten(publish) ?? frame, now);
  }

  admit(messageId: number | undefined, timestamp: number): boolean {
    if (this.#broken || !this.#transport?.reliable || this.#transport.shortForm) return false;
    if (timestamp !== 0 && this.#wantsRoundTrip) return false;
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
    this.#sender.hold();
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
    if (!this.#transport || this.#broken) return undefined;
    const owedAt = earliest(this.#answers.dueAt, this.#keepAlive.pingAt);
    return earliest(this.#sender.deadline(owedAt), this.#keepAlive.silentAt);
  }

  age(timestamp: number, now: number): Age {
    return ageOf(timestamp, this.#options.epoch, now, this.roundTripMs);
  }

  timestamp(now: number): number {
    return timestampAt(this.#options.epoch, now);
  }

  /** Decodes a frame and does what it says. @param joined whether it came in fragments. */
  #listen(bytes: Uint8Array, now: number, joined: boolean): void {
    let heard: Heard;
    try {
      heard = this.#dialect.decode(bytes, this.#situation(bytes, now));
      if (joined && heard.kind === 'fragment') {
        throw new HashikeError('HSK-2003', 'a fragment stands in fragments');
      }
    } catch (error) {
      if (!(error instanceof HashikeError)) throw error;
      this.#refuse(error);
      return;
    }
    if (this.#keepAlive.heard(now)) this.#effects.heard();
    this.#obey(heard, now);
  }

  #situation(frame: Uint8Array, now: number): Situation {
    const { line, outbound } = this.#sender;
    return {
      now,
      expected: this.received + 1,
      unacknowledged: outbound.acknowledged + 1,
      roundTripMs: this.roundTripMs,
      transmissionMs: line.duration(Line.bytes(frame.length)),
    };
  }

  #obey(heard: Heard, now: number): void {
    switch (heard.kind) {
      case 'numbered':
        this.#measureFor(heard.message);
        if (!this.#receiver.take(heard.messageId, heard.message, heard.age, now)) {
          this.#refuse(skips(this.received, heard.messageId));
        }
        break;
      case 'other':
        this.#measureFor(heard.message);
        this.#effects.receive(heard.message, heard.age);
        break;
      case 'ack':
        if (!this.#sender.outbound.canHave(heard.messageId)) this.#refuse(neverSent(heard.messageId));
        else if (heard.whole && this.#transport?.shortForm && heard.messageId < this.acknowledged)
          this.#stateLost(heard.messageId);
        else this.#covered(this.#sender.acknowledge(heard.messageId, heard.credit, now));
        break;
      case 'confirmed':
        this.#confirmedHeard(heard.messageId);
        break;
      case 'ping':
        this.#answers.owePong(heard);
        break;
      case 'pong': {
        const roundTripMs = this.#answers.pongHeard(heard.echo, now);
        // On a line the time depends on what else is on it: there the ACKs tell.
        if (roundTripMs !== undefined && this.#transport?.reliable)
          this.#sender.roundTrip.sample(roundTripMs);
        break;
      }
      case 'fragment': {
        const whole = this.#joiner.add(heard.fragment);
        if (whole) this.#listen(whole, now, true);
        break;
      }
      case 'resume':
        this.#resumeHeard(heard.session16, heard.messageId, now);
        break;
      case 'reset':
        this.#effects.reset();
        break;
    }
  }

  #confirmedHeard(messageId: number): void {
    const { last, claimed } = this.#sender.outbound;
    if (messageId > Math.max(last, claimed)) {
      this.#refuse(neverSent(messageId));
    } else if (messageId > this.#confirmed) {
      this.#confirmed = messageId;
      this.#effects.confirmed(messageId);
    }
  }

  #resumeHeard(session16: number, messageId: number, now: number): void {
    if (this.#answers.isOurs(session16) && this.#sender.outbound.canHave(messageId)) {
      if (messageId < this.acknowledged) {
        this.#stateLost(messageId);
        return;
      }
      this.#covered(this.#sender.resumed(messageId));
      this.#answers.resumeHeard(now);
      return;
    }
    this.#options.dropped('resume-mismatch');
    if (this.#options.side === 'server') this.#answers.oweReset();
    else this.#effects.reset();
  }

  /** Who claims less of ours than it had acknowledged waits for what we no longer have: the session is over (clause 6.5.6). */
  #stateLost(claimed: number): void {
    const { acknowledged } = this;
    this.#silence();
    this.#effects.stateLost(
      new HashikeError('HSK-2006', 'the peer claims less than it had acknowledged', {
        claimed,
        acknowledged,
      }),
    );
  }

  #covered(covered: Covered | undefined): void {
    if (!covered) return;
    const { acknowledged } = this.#sender.outbound;
    this.#aliases.acknowledged(acknowledged);
    this.#effects.acknowledged(acknowledged, covered.tag);
  }

  /** How sure a time is depends on the round trip: one PING measures it where a client tells the time. */
  #measureFor(message: Numbered | Message): void {
    if (message.type !== MessageType.PUBLISH || message.timestamp === 0 || this.#options.side === 'client')
      return;
    if (this.#wantsRoundTrip) this.#answers.owePing();
  }

  get #wantsRoundTrip(): boolean {
    return this.#transport?.reliable === true && this.roundTripMs === undefined && !this.#answers.pinging;
  }

  /** EXPIRY counts from the moment the server receives the publish (clause 5.5.6), so not in the queue of a client. */
  #expiryOf(message: NumberedMessage, now: number): number | undefined {
    if (this.#options.side === 'client' || message.type !== MessageType.PUBLISH) return undefined;
    return message.expiry === undefined ? undefined : now + message.expiry;
  }

  /** What breaks a rule ends a reliable link and is dropped on a lossy one (clause 5.7.2). */
  #refuse(error: HashikeError): void {
    if (this.#transport?.reliable) this.#violated(error);
    else this.#drop(error);
  }

  #drop(error: HashikeError): void {
    this.#options.dropped(dropReasons[error.code] ?? 'malformed', error);
  }

  #violated(error: HashikeError): void {
    this.#silence();
    this.#effects.violated(error);
  }

  /** Says and hears nothing more on this link. */
  #silence(): void {
    this.#broken = true;
    this.#sender.stop();
  }
}

const dropReasons: Readonly<Partial<Record<ErrorCode, string>>> = {
  'HSK-1104': 'unknown-alias',
  'HSK-1109': 'layout-mismatch',
  'HSK-2002': 'acknowledges-unsent',
  'HSK-2003': 'unexpected-message',
};

function neverSent(messageId: number): HashikeError {
  return new HashikeError('HSK-2002', 'a message was acknowledged that was never sent', { messageId });
}

function skips(received: number, messageId: number): HashikeError {
  return new HashikeError('HSK-2001', 'a message number skips one', { received, messageId });
}

/** The long form of `message`, with its content proven to be sections. Throws HSK-1101, HSK-1102 and HSK-1105. */
function encodeChecked(message: NumberedMessage): Uint8Array {
  if (message.type === MessageType.PUBLISH) contentSections(message.content);
  return encodeMessage(message);
}
