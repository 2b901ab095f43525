import { HashikeError, type ErrorCode } from '../base/errors.ts';
import type { Message } from '../wire/message.ts';
import { MessageType } from '../wire/numbers.ts';
import type { Aliases } from './aliases.ts';
import type { Answers } from './answers.ts';
import type { Dialect, Heard, Numbered, Situation } from './dialect.ts';
import { FragmentJoiner } from './fragments.ts';
import type { KeepAlive } from './keep-alive.ts';
import { Line } from './line.ts';
import type { Covered } from './outbound.ts';
import type { SessionEffects, Transport } from './ports.ts';
import type { Receiver } from './receiver.ts';
import type { Sender } from './sender.ts';

export interface HearingSurroundings {
  readonly dialect: Dialect;
  readonly aliases: Aliases;
  readonly receiver: Receiver;
  readonly sender: Sender;
  readonly answers: Answers;
  readonly keepAlive: KeepAlive;
  readonly effects: SessionEffects;
}

/** What the frames of the peer say, and what follows from it. */
export class Hearing {
  readonly #dialect: Dialect;
  readonly #aliases: Aliases;
  readonly #receiver: Receiver;
  readonly #sender: Sender;
  readonly #answers: Answers;
  readonly #keepAlive: KeepAlive;
  readonly #effects: SessionEffects;
  #transport: Transport | undefined;
  /** Where frames come in fragments. */
  #joiner: FragmentJoiner | undefined;
  #broken = false;
  #confirmed = 0;

  constructor(surroundings: HearingSurroundings) {
    this.#dialect = surroundings.dialect;
    this.#aliases = surroundings.aliases;
    this.#receiver = surroundings.receiver;
    this.#sender = surroundings.sender;
    this.#answers = surroundings.answers;
    this.#keepAlive = surroundings.keepAlive;
    this.#effects = surroundings.effects;
  }

  /** The peer broke the protocol on this link, or has lost state: nothing it says counts any more. */
  get broken(): boolean {
    return this.#broken;
  }

  attach(transport: Transport): void {
    this.#transport = transport;
  }

  detach(): void {
    this.#transport = undefined;
    this.#broken = false;
    this.#joiner?.clear();
    this.#joiner = undefined;
  }

  /** One frame from the link. */
  frame(bytes: Uint8Array, now: number): void {
    this.#listen(bytes, now, false);
  }

  /** See `SessionMachine.frameBeside`. */
  frameBeside(bytes: Uint8Array, now: number): void {
    let heard: Heard;
    try {
      heard = this.#dialect.decode(bytes, this.#situation(bytes, now));
    } catch (error) {
      if (!(error instanceof HashikeError)) throw error;
      this.#drop(error);
      return;
    }
    if (heard.kind !== 'other' || heard.message.type !== MessageType.PUBLISH) {
      this.#effects.dropped('unexpected-message');
      return;
    }
    this.#obey(heard, now);
  }

  /** The peer says up to where it has ours, for a link that was taken up. False: it cannot be so. */
  claimed(messageId: number): boolean {
    const { window, outbound } = this.#sender;
    if (!outbound.canHave(messageId)) {
      this.#violated(neverSent(messageId));
      return false;
    }
    if (messageId < outbound.acknowledged) {
      this.#stateLost(messageId);
      return false;
    }
    this.covered(window.resumed(messageId));
    return true;
  }

  /** Ours were acknowledged. */
  covered(covered: Covered | undefined): void {
    if (!covered) return;
    const { acknowledged } = this.#sender.outbound;
    this.#aliases.acknowledged(acknowledged);
    this.#effects.acknowledged(acknowledged, covered.tag);
  }

  get wantsRoundTrip(): boolean {
    return (
      this.#transport?.reliable === true &&
      this.#sender.window.roundTrip.smoothed === undefined &&
      !this.#answers.pinging
    );
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
    const { line, outbound, window } = this.#sender;
    return {
      now,
      expected: this.#receiver.received + 1,
      unacknowledged: outbound.acknowledged + 1,
      roundTripMs: window.roundTrip.smoothed,
      transmissionMs: line.duration(Line.bytes(frame.length)),
    };
  }

  #obey(heard: Heard, now: number): void {
    switch (heard.kind) {
      case 'numbered':
        this.#measureFor(heard.message);
        if (!this.#receiver.take(heard.messageId, heard.message, heard.age, now)) {
          this.#refuse(skips(this.#receiver.received, heard.messageId));
        }
        break;
      case 'other':
        this.#measureFor(heard.message);
        this.#effects.receive(heard.message, heard.age);
        break;
      case 'ack':
        this.#ackHeard(heard, now);
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
        if (roundTripMs !== undefined && this.#transport?.reliable) {
          this.#sender.window.roundTrip.sample(roundTripMs);
        }
        break;
      }
      case 'fragment': {
        this.#joiner ??= new FragmentJoiner(() => this.#effects.dropped('fragment-lost'));
        const whole = this.#joiner.add(heard.fragment);
        if (whole) this.#listen(whole, now, true);
        break;
      }
      case 'resume':
        this.#resumeHeard(heard);
        break;
      case 'reset':
        this.#effects.reset();
        break;
    }
  }

  #ackHeard({ messageId, whole, credit }: Extract<Heard, { readonly kind: 'ack' }>, now: number): void {
    const { window, outbound, line } = this.#sender;
    if (!outbound.canHave(messageId)) this.#refuse(neverSent(messageId));
    else if (whole && this.#transport?.shortForm && messageId < outbound.acknowledged) {
      this.#stateLost(messageId);
    } else this.covered(window.acknowledge(messageId, credit, now, line));
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

  #resumeHeard({ answer, session16, messageId }: Extract<Heard, { readonly kind: 'resume' }>): void {
    if (this.#answers.isOurs(session16) && this.#sender.outbound.canHave(messageId)) {
      // An answer for which nobody waits means nothing: the one before it did.
      if (answer && !this.#answers.resuming) return;
      if (this.claimed(messageId)) this.#answers.resumeHeard(answer);
      return;
    }
    this.#effects.dropped('resume-mismatch');
    if (this.#dialect.side === 'server') this.#answers.oweReset();
    else this.#effects.reset();
  }

  /** How sure a time is depends on the round trip: one PING measures it where a client tells the time. */
  #measureFor(message: Numbered | Message): void {
    if (message.type !== MessageType.PUBLISH || message.timestamp === 0) return;
    if (this.#dialect.side === 'server' && this.wantsRoundTrip) this.#answers.owePing();
  }

  /** What breaks a rule ends a reliable link and is dropped on a lossy one (clause 5.7.2). */
  #refuse(error: HashikeError): void {
    if (this.#transport?.reliable) this.#violated(error);
    else this.#drop(error);
  }

  #drop(error: HashikeError): void {
    this.#effects.dropped(dropReasons[error.code] ?? 'malformed', error);
  }

  /** Who claims less of ours than it had acknowledged waits for what we no longer have: the session is over (clause 6.5.6). */
  #stateLost(claimed: number): void {
    const { acknowledged } = this.#sender.outbound;
    this.#silence();
    this.#effects.stateLost(
      new HashikeError('HSK-2006', 'the peer claims less than it had acknowledged', {
        claimed,
        acknowledged,
      }),
    );
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
