import { MessageType, ShortKind } from '../wire/numbers.ts';
import { encodeShort } from '../wire/short-form.ts';
import type { Aliases } from './aliases.ts';
import type { Dialect } from './dialect.ts';
import type { Receiver } from './receiver.ts';
import { earliest } from './earliest.ts';
import { Line } from './line.ts';
import { ResumeExchange } from './resume-exchange.ts';
import type { RoundTrip } from './round-trip.ts';

const RESUME_BYTES = 4;

interface Ping {
  readonly echo: number;
  readonly short: boolean;
}

export interface AnswersOptions {
  readonly sessionId: Uint8Array;
  readonly dialect: Dialect;
  readonly receiver: Receiver;
  readonly aliases: Aliases;
  /** The session comes from disk, which may have lost some of it. */
  readonly restored: boolean;
}

/** How long things take on the present link. */
interface Pace {
  readonly line: Line;
  readonly window: { readonly roundTrip: RoundTrip };
}

/** The short frames that a session owes its peer: RESET, RESUME, ACK, PONG, PING. At most one of each waits, so that a slow line merges them. */
export class Answers {
  readonly #dialect: Dialect;
  readonly #receiver: Receiver;
  readonly #aliases: Aliases;
  /** The last two bytes of the SESSION_ID. */
  readonly #session16: number;
  /** Where the peer was asked to resume, or has asked. */
  #resume: ResumeExchange | undefined;
  /** The peer has yet to agree to where our numbers stand: it hears them whole before each RESUME (clause 6.5.7). */
  #doubtful: boolean;
  #saidWhole = false;
  #resetOwed = false;
  #pong: Ping | undefined;
  #pingOwed = false;
  /** Our last PING, until it is answered. */
  #ping: { readonly echo: number; readonly at: number } | undefined;
  #pings = 0;

  constructor({ sessionId, dialect, receiver, aliases, restored }: AnswersOptions) {
    const [high = 0, low = 0] = sessionId.subarray(-2);
    this.#session16 = (high << 8) | low;
    this.#dialect = dialect;
    this.#receiver = receiver;
    this.#aliases = aliases;
    this.#doubtful = restored;
  }

  /** When the next answer is due; in the past when one may go now. */
  get dueAt(): number | undefined {
    const { acks } = this.#receiver;
    const now = this.#resetOwed || this.#resume?.owed || acks.urgent || this.#pong || this.#pingOwed;
    return now ? Number.NEGATIVE_INFINITY : earliest(acks.dueAt, this.#resume?.deadline);
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
    this.#resume ??= new ResumeExchange();
    this.#resume.begin();
  }

  /** Whether a RESUME with these two bytes is meant for this session. */
  isOurs(session16: number): boolean {
    return session16 === this.#session16;
  }

  /** Whether a RESUME of ours waits for its answer. */
  get resuming(): boolean {
    return this.#resume?.outstanding ?? false;
  }

  resumeHeard(answer: boolean): void {
    this.#doubtful = false;
    this.#resume ??= new ResumeExchange();
    this.#resume.heard(answer);
  }

  oweReset(): void {
    this.#resetOwed = true;
  }

  tick(now: number): void {
    this.#receiver.acks.tick(now);
    this.#resume?.tick(now);
  }

  clear(): void {
    this.#resume?.stop();
    // The next link may have another at its end: it hears both.
    this.#saidWhole = false;
    this.#resetOwed = false;
    this.#pong = undefined;
    this.#pingOwed = false;
    this.#ping = undefined;
  }

  /** The next frame that may go now. */
  next(now: number, pace: Pace): Uint8Array | undefined {
    const dialect = this.#dialect;
    const receiver = this.#receiver;
    if (this.#resetOwed) {
      this.#resetOwed = false;
      return encodeShort({ kind: ShortKind.RESET });
    }
    if (this.#resume?.owed && this.#doubtful && !this.#saidWhole) {
      this.#saidWhole = true;
      return dialect.encodeWholeAck(this.#tell(), now);
    }
    if (this.#resume?.owed) {
      this.#saidWhole = false;
      const answer = this.#resume.sent(pace.line.freeAt(now), resumeTimeout(pace));
      // A RESUME counts as an ACK.
      const settled = this.#tell();
      return encodeShort({
        kind: ShortKind.RESUME,
        answer,
        session16: this.#session16,
        id8: settled & 0xff,
      });
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

  #tell(): number {
    const { settled, acks } = this.#receiver;
    acks.sent(settled);
    this.#aliases.told(settled);
    return settled;
  }
}

/** An exchange takes two frames on the line. */
function resumeTimeout({ line, window }: Pace): number {
  return window.roundTrip.timeout + 2 * line.duration(Line.bytes(RESUME_BYTES));
}
