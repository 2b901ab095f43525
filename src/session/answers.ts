import { MessageType, ShortKind } from '../wire/numbers.ts';
import { encodeShort } from '../wire/short-form.ts';
import type { Aliases } from './aliases.ts';
import type { Dialect } from './dialect.ts';
import type { Receiver } from './receiver.ts';
import { earliest } from './earliest.ts';
import { Line } from './line.ts';
import type { Sender } from './sender.ts';
import { ResumeExchange } from './resume-exchange.ts';

const RESUME_BYTES = 4;

interface Ping {
  readonly echo: number;
  readonly short: boolean;
}

export interface AnswersOptions {
  readonly sessionId: Uint8Array;
  readonly dialect: Dialect;
  readonly receiver: Receiver;
  readonly sender: Sender;
  readonly aliases: Aliases;
  /** The session comes from disk, which may have lost some of it. */
  readonly restored: boolean;
}

/** The short frames that a session owes its peer: RESET, RESUME, ACK, PONG, PING. At most one of each waits, so that a slow line merges them. */
export class Answers {
  readonly #options: AnswersOptions;
  /** The last two bytes of the SESSION_ID. */
  readonly #session16: number;
  readonly #resume = new ResumeExchange();
  /** The peer has yet to agree to where our numbers stand: it hears them whole before each RESUME (clause 6.5.7). */
  #doubtful: boolean;
  #saidWhole = false;
  #resetOwed = false;
  #pong: Ping | undefined;
  #pingOwed = false;
  /** Our last PING, until it is answered. */
  #ping: { readonly echo: number; readonly at: number } | undefined;
  #pings = 0;

  constructor(options: AnswersOptions) {
    this.#options = options;
    const [high = 0, low = 0] = options.sessionId.subarray(-2);
    this.#session16 = (high << 8) | low;
    this.#doubtful = options.restored;
  }

  /** When the next answer is due; in the past when one may go now. */
  get dueAt(): number | undefined {
    const { acks } = this.#options.receiver;
    const now = this.#resetOwed || this.#resume.owed || acks.urgent || this.#pong || this.#pingOwed;
    return now ? Number.NEGATIVE_INFINITY : earliest(acks.dueAt, this.#resume.deadline);
  }

  /** Whether a PING waits for its PONG. */
  get pinging(): boolean {
    return this.#pingOwed || this.#ping !== undefined;
  }

  owePing(): void {
    this.#pingOwed = true;
  }

  owePong(ping: Ping): void {
    this.#pong = ping;
  }

  /** A PONG was heard: milliseconds since its PING, undefined when that was another one. */
  pongHeard(echo: number, now: number): number | undefined {
    const ping = this.#ping;
    if (ping?.echo !== echo) return undefined;
    this.#ping = undefined;
    return now - ping.at;
  }

  beginResume(): void {
    this.#resume.begin();
  }

  /** Whether a RESUME with these two bytes is meant for this session. */
  isOurs(session16: number): boolean {
    return session16 === this.#session16;
  }

  resumeHeard(now: number): void {
    this.#doubtful = false;
    this.#resume.heard(now, this.#resumeTimeout);
  }

  oweReset(): void {
    this.#resetOwed = true;
  }

  tick(now: number): void {
    this.#options.receiver.acks.tick(now);
    this.#resume.tick(now);
  }

  clear(): void {
    this.#resume.stop();
    this.#resetOwed = false;
    this.#pong = undefined;
    this.#pingOwed = false;
    this.#ping = undefined;
  }

  /** The next frame that may go now. */
  next(now: number): Uint8Array | undefined {
    const { dialect, receiver, sender } = this.#options;
    if (this.#resetOwed) {
      this.#resetOwed = false;
      return encodeShort({ kind: ShortKind.RESET });
    }
    if (this.#resume.owed && this.#doubtful && !this.#saidWhole) {
      this.#saidWhole = true;
      return dialect.encodeWholeAck(this.#tell(), now);
    }
    if (this.#resume.owed) {
      this.#saidWhole = false;
      this.#resume.sent(sender.line.freeAt(now), this.#resumeTimeout);
      // A RESUME counts as an ACK.
      const settled = this.#tell();
      return encodeShort({ kind: ShortKind.RESUME, session16: this.#session16, id8: settled & 0xff });
    }
    if (receiver.acks.urgent) return dialect.encodeAck(this.#tell(), receiver.credit, now);
    if (this.#pong) {
      const { echo, short } = this.#pong;
      this.#pong = undefined;
      return dialect.encodePing(MessageType.PONG, echo, short, now);
    }
    if (!this.#pingOwed) return undefined;
    this.#pingOwed = false;
    this.#pings = (this.#pings + 1) & 0xff;
    this.#ping = { echo: this.#pings, at: now };
    return dialect.encodePing(MessageType.PING, this.#pings, dialect.shortForm, now);
  }

  /** An exchange takes two frames on the line. */
  get #resumeTimeout(): number {
    const { line, roundTrip } = this.#options.sender;
    return roundTrip.timeout + 2 * line.duration(Line.bytes(RESUME_BYTES));
  }

  #tell(): number {
    const { receiver, aliases } = this.#options;
    const { settled } = receiver;
    receiver.acks.sent(settled);
    aliases.told(settled);
    return settled;
  }
}
