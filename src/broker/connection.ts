import { sameBytes } from '../base/bytes.ts';
import type { Clock, Timer } from '../base/clock.ts';
import type { Counters } from '../base/counters.ts';
import { HashikeError } from '../base/errors.ts';
import type { Link, LinkHandler } from '../links/link.ts';
import { frameEnd } from '../wire/long-form-delimiter.ts';
import { decodeMessage, encodeMessage, peekType } from '../wire/long-form.ts';
import type { ConnectToken, Message, ReasonValue } from '../wire/message.ts';
import { MessageType, Reason, ShortKind } from '../wire/numbers.ts';
import { encodeShort, isShortForm } from '../wire/short-form.ts';
import type { ClientSession } from './client-session.ts';
import { busy, type Refusal } from './handshake.ts';
import type { LinkFaults } from './link-faults.ts';
import { shorten } from './reasons.ts';
import type { Carrier } from './session-surroundings.ts';
import type { Opened, SessionOpening } from './session-opening.ts';
import type { Sessions } from './sessions.ts';

/** What all connections have in common. */
export interface ConnectionServices {
  readonly opening: SessionOpening;
  readonly sessions: Sessions;
  readonly faults: LinkFaults;
  readonly limits: { readonly handshakeMs: number };
  readonly clock: Clock;
  readonly counters: Counters;
  /** It has come to a session. */
  attached(connection: Connection, session: ClientSession): void;
  /** Its link is gone. */
  closed(connection: Connection): void;
}

/**
 * The server's side of one link: the handshake (clauses 5.3 and 5.4), then the frames of a session. On a link that belongs to one place the handshake may begin
 * again at any time, and a context that is kept for the place is taken up without one (clause 6.5).
 */
export class Connection implements LinkHandler, Carrier {
  readonly link: Link;
  /** Epoch ms. */
  readonly since: number;
  readonly #services: ConnectionServices;
  #session: ClientSession | undefined;
  /** What the last CONNECT_TOKEN opened, until a frame of that session comes. */
  #unheard: { readonly connect: Uint8Array; readonly opened: Opened } | undefined;
  #closed = false;
  #lastHeard: number;
  #handshakeTimer: Timer | undefined;
  /** Counts the CONNECT_*: an answer that is not to the last one is not sent. */
  #attempt = 0;
  /** Frames that came while the answer to CONNECT_* was being made. */
  #early: Uint8Array[] | undefined;

  constructor(link: Link, services: ConnectionServices) {
    this.#services = services;
    this.link = link;
    this.since = services.clock.wall();
    this.#lastHeard = this.since;
  }

  get session(): ClientSession | undefined {
    return this.#session;
  }

  /** Epoch ms at which the last frame came. */
  get lastHeard(): number {
    return this.#lastHeard;
  }

  /** Whether it has not come to a session yet, and is none of a wire where that is normal. */
  get unfinished(): boolean {
    return this.#handshakeTimer !== undefined;
  }

  start(): void {
    const { clock, limits, counters } = this.#services;
    if (this.link.capabilities.place === undefined) {
      this.#handshakeTimer = clock.after(limits.handshakeMs, () => {
        counters.drops('handshake', 'timeout').add();
        this.disconnect({ code: Reason.HANDSHAKE_TIMEOUT, text: 'the handshake was not finished in time' });
      });
    }
    this.link.start(this);
    this.#attachKept();
  }

  frame(bytes: Uint8Array): void {
    if (this.#closed) return;
    this.#lastHeard = this.#services.clock.wall();
    const type = peekType(bytes);
    const connects = type === MessageType.CONNECT_TOKEN || type === MessageType.CONNECT_RESUME;
    if (connects && (!this.#session || this.link.capabilities.place !== undefined)) this.#connect(bytes);
    else if (this.#session) {
      this.#unheard = undefined;
      this.#session.frame(bytes);
    } else if (this.#early) this.#early.push(bytes);
    else this.#strayFrame(bytes);
  }

  run(bytes: Uint8Array, from: number, to: number): void {
    if (this.#closed) return;
    this.#lastHeard = this.#services.clock.wall();
    for (let at = from; at < to && !this.#closed;) {
      at = this.#session?.run(bytes, at, to) ?? at;
      if (at >= to) break;
      const end = frameEnd(bytes, at);
      this.frame(bytes.slice(at, end));
      at = end;
    }
  }

  drained(): void {
    this.#session?.drained();
  }

  closed(cause?: HashikeError): void {
    const { faults } = this.#services;
    if (cause?.fault === 'peer') {
      faults.add('malformed', this.link, cause);
      this.#session?.violated(cause);
    } else if (cause) {
      faults.add('broken', this.link, cause);
    }
    this.#release();
    this.#services.closed(this);
  }

  disconnect(reason: ReasonValue | undefined): void {
    const timestamp = this.#session?.timestamp() ?? 0;
    this.#detach();
    if (this.#closed) return;
    if (reason) this.#send({ type: MessageType.DISCONNECT, timestamp, reason });
    this.#close();
  }

  /** Refuses the connection before anything was said. */
  refuse(text: string): void {
    this.link.start(this);
    this.#fail(busy(text));
  }

  #connect(bytes: Uint8Array): void {
    let message: Message;
    try {
      message = decodeMessage(bytes);
    } catch (error) {
      if (!(error instanceof HashikeError)) throw error;
      this.#malformed(error);
      return;
    }
    if (this.#answersAgain(bytes)) return;
    this.#detach();
    this.#attempt += 1;
    // What comes before the answer waits; where frames may be lost they may be lost here.
    if (this.link.capabilities.reliable) {
      this.#early = [];
      this.link.pause();
    }
    if (message.type === MessageType.CONNECT_RESUME)
      this.#answer(this.#services.opening.resume(message, this.link));
    if (message.type === MessageType.CONNECT_TOKEN) void this.#begin(message, bytes.slice());
  }

  async #begin(connect: ConnectToken, bytes: Uint8Array): Promise<void> {
    const attempt = this.#attempt;
    const outcome = await this.#services.opening.begin(connect, this.link);
    if (attempt !== this.#attempt || this.#closed) return;
    this.#answer(outcome);
    // Where frames may be lost the answer may be.
    if ('session' in outcome && !this.link.capabilities.reliable)
      this.#unheard = { connect: bytes, opened: outcome };
  }

  #answer(outcome: Opened | Refusal): void {
    if (!('session' in outcome)) {
      this.#fail(outcome);
      return;
    }
    this.#send(outcome.answer());
    this.#attach(outcome.session, outcome.peerReceived);
  }

  /** The CONNECT_TOKEN that opened the session, again: its answer was lost (clause 5.3.6). False where it is another one, or the session was heard since. */
  #answersAgain(bytes: Uint8Array): boolean {
    const unheard = this.#unheard;
    if (!unheard || unheard.opened.session !== this.#session || !sameBytes(unheard.connect, bytes))
      return false;
    this.#detach();
    this.#answer(unheard.opened);
    return true;
  }

  #attach(session: ClientSession, peerReceived: number | undefined): void {
    this.#finishHandshake();
    this.#session = session;
    const early = this.#early ?? [];
    this.#early = undefined;
    // Before the session, which may want to hold the link back.
    this.link.resume();
    this.#services.attached(this, session);
    this.#services.sessions.attach(session, this, peerReceived);
    for (const frame of early) this.frame(frame);
  }

  /** A refusal ends the link where it can be ended (clause 5.3.1). */
  #fail(refusal: Refusal): void {
    if (this.#closed) return;
    this.#early = undefined;
    this.#services.counters.drops('handshake', 'refused').add();
    this.#send(refusal);
    this.link.resume();
    this.#close();
  }

  /** A frame of no session: before a handshake, or from a node whose context may be kept (clause 6.5). */
  #strayFrame(bytes: Uint8Array): void {
    const [first = 0] = bytes;
    if (!this.link.capabilities.shortForm || !isShortForm(first)) {
      this.#malformed(new HashikeError('HSK-3005', 'the first message is no CONNECT'));
    } else if (this.#attachKept()) {
      this.#session?.frame(bytes);
    } else {
      this.#services.counters.drops(this.link.name, 'no-context').add();
      const isReset = ((first >> 4) & 7) === ShortKind.RESET;
      if (!isReset) this.link.send(encodeShort({ kind: ShortKind.RESET }));
    }
  }

  /** Takes up the context that is kept for the place of this link, and begins with RESUME (clause 6.5.3); false when there is none. */
  #attachKept(): boolean {
    const { place } = this.link.capabilities;
    const kept = place === undefined ? undefined : this.#services.sessions.atPlace(place);
    if (kept) this.#attach(kept, undefined);
    return kept !== undefined;
  }

  /** What breaks the rules is dropped where frames may be damaged, and ends the link elsewhere (clause 5.7.2). */
  #malformed(error: HashikeError): void {
    this.#early = undefined;
    this.#services.faults.add('malformed', this.link, error);
    if (this.link.capabilities.reliable) {
      this.disconnect({ code: Reason.PROTOCOL_ERROR, text: shorten(error.message) });
    }
  }

  #send(message: Message): void {
    this.link.send(encodeMessage(message));
  }

  #finishHandshake(): void {
    this.#handshakeTimer?.cancel();
    this.#handshakeTimer = undefined;
  }

  /** A link that belongs to a place stays open for the next handshake. */
  #close(): void {
    if (this.link.capabilities.place !== undefined) return;
    this.#release();
    this.link.close();
  }

  #release(): void {
    this.#closed = true;
    this.#finishHandshake();
    this.#detach();
  }

  #detach(): void {
    const session = this.#session;
    this.#session = undefined;
    session?.detach();
  }
}
