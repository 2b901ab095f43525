import type { PublishView } from '../wire/publish-view.ts';
import { type Alarms, NEVER, NOWHERE, type Sleeper } from './alarms.ts';
import type { SessionEffects, SessionMachine, SessionOptions, SessionOutlet, Transport } from './ports.ts';
import { createSession } from './session.ts';

/** The part of a link that a session needs. */
export interface SessionLink {
  readonly capabilities: Transport;
  send(frame: Uint8Array): boolean;
  relay?(publish: PublishView, timestamp: number): boolean;
  pause(): void;
  resume(): void;
}

export interface SessionPipeOptions {
  /** Of the clock that the session goes by; sessions may share them. */
  readonly alarms: Alarms;
  readonly session: SessionOptions;
  readonly effects: SessionEffects;
}

/**
 * Binds a session to the links that carry it one after the other, and to the clock. Who owns the link starts it, passes `frame` and `drained` on after the handshake, and calls
 * `detach` when it is closed.
 */
export class SessionPipe implements SessionOutlet, Sleeper {
  /** For the alarms. */
  wakeAt = NEVER;
  place = NOWHERE;
  readonly #alarms: Alarms;
  readonly #machine: SessionMachine;
  #link: SessionLink | undefined;

  constructor({ alarms, session, effects }: SessionPipeOptions) {
    this.#alarms = alarms;
    this.#machine = createSession(session, effects, this);
  }

  /** What the session knows, to look at; to make it act, use `act`. */
  get session(): Readonly<
    Pick<
      SessionMachine,
      | 'age'
      | 'attached'
      | 'received'
      | 'settled'
      | 'acknowledged'
      | 'queuedBytes'
      | 'aliases'
      | 'roundTripMs'
      | 'deadline'
    >
  > {
    return this.#machine;
  }

  /** Makes the session act now, and later when it wants to. Throws what `action` throws. */
  act<T>(action: (session: SessionMachine, now: number) => T): T {
    return this.#act(action);
  }

  #act<T>(action: (session: SessionMachine, now: number) => T): T {
    try {
      return action(this.#machine, this.#alarms.clock.now());
    } finally {
      this.#arm();
    }
  }

  /** Takes up a link, instead of the one before. @param peerReceived see `SessionMachine.attach`. */
  attach(link: SessionLink, peerReceived: number | undefined): void {
    this.#link = link;
    this.act((session, now) => session.attach(link.capabilities, now, peerReceived));
  }

  detach(): void {
    this.act((session) => session.detach());
    this.#link = undefined;
  }

  frame(bytes: Uint8Array): void {
    this.act((session, now) => session.frame(bytes, now));
  }

  /** The raw steps. They need no `act`: what a link takes at once moves no deadline forward. */
  get raw(): Pick<SessionMachine, 'admit' | 'relayReliable' | 'relayBestEffort'> {
    return this.#machine;
  }

  drained(): void {
    this.act((session, now) => session.drained(now));
  }

  /** For the session. */
  transmit(frame: Uint8Array): boolean {
    return this.#link?.send(frame) ?? true;
  }

  /** For the session. */
  relay(publish: PublishView, timestamp: number): boolean {
    const link = this.#link;
    if (!link) return true;
    return link.relay ? link.relay(publish, timestamp) : link.send(publish.delivery(timestamp, undefined));
  }

  /** For the session. */
  hold(held: boolean): void {
    if (held) this.#link?.pause();
    else this.#link?.resume();
  }

  /** For the alarms. */
  wake(): void {
    this.#act((session, now) => session.tick(now));
  }

  /** An alarm that comes before it is needed does no harm, so it is brought forward but never put off. */
  #arm(): void {
    const { deadline } = this.#machine;
    if (deadline === undefined) this.#alarms.clear(this);
    else if (deadline < this.wakeAt) this.#alarms.set(this, deadline);
  }
}
