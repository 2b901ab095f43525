import type { Alarms } from '../session/alarms.ts';
import type { SessionEffects, SessionMachine, SessionOptions } from '../session/ports.ts';
import { SessionPipe } from '../session/pipe.ts';
import type { ReasonValue } from '../wire/message.ts';
import type { Carrier, SessionServices } from './session-surroundings.ts';
import type { TokenAccount } from './token-accounts.ts';
import type { UdpPath } from './udp-path.ts';
import type { UdpTicketValues } from './udp-paths.ts';

export interface ClientPipeOptions {
  readonly alarms: Alarms;
  readonly session: SessionOptions;
  readonly effects: SessionEffects;
  readonly services: Pick<SessionServices, 'udp' | 'counters'>;
  readonly account: TokenAccount;
}

/**
 * A session's way to its client: the connection that carries it, and the UDP path beside that (one ticket at a time, which ends with the connection that asked for it, clause 8.3.1). A session may not be
 * detached from within one of its own calls: what its effects want to do to it waits until these are over.
 */
export class ClientPipe extends SessionPipe {
  readonly #services: ClientPipeOptions['services'];
  readonly #account: TokenAccount;
  #carrier: Carrier | undefined;
  #path: UdpPath | undefined;
  /** Depth of the calls into the session. */
  #depth = 0;
  #waiting: (() => void)[] | undefined;

  constructor({ alarms, session, effects, services, account }: ClientPipeOptions) {
    super({ alarms, session, effects });
    this.#services = services;
    this.#account = account;
  }

  /** The connection that carries the session now. */
  get carrier(): Carrier | undefined {
    return this.#carrier;
  }

  /** Whether it does so on a link where what waits may wait. */
  get isReliable(): boolean {
    return this.#carrier?.link.capabilities.reliable === true;
  }

  /** Whether the client has a ticket, so that best-effort messages may go beside the link. */
  get hasPath(): boolean {
    return this.#path !== undefined;
  }

  /** Takes up a connection. @param peerReceived last number of ours that the client has; undefined: begins with RESUME (clause 6.5.3). */
  take(carrier: Carrier, peerReceived: number | undefined): void {
    this.#carrier = carrier;
    this.group(() => {
      this.attach(carrier.link, peerReceived);
      if (peerReceived === undefined) this.act((session, now) => session.sendResume(now));
    });
  }

  /** The connection is gone. False: there was none. */
  leave(): boolean {
    if (!this.#carrier) return false;
    this.#carrier = undefined;
    this.#voidTicket();
    return true;
  }

  /** Takes the session off its connection: see `Carrier.disconnect`. */
  disconnect(reason: ReasonValue | undefined): void {
    this.afterwards(() => this.#carrier?.disconnect(reason));
  }

  /** A ticket in place of the one before; undefined where UDP is not offered. */
  openPath(): UdpTicketValues | undefined {
    if (!this.isReliable) return undefined;
    this.#voidTicket();
    const granted = this.#services.udp?.grant((frame) => this.#frameBeside(frame));
    this.#path = granted?.path;
    return granted?.ticket;
  }

  /** Takes a best-effort message for the client by UDP; false when it has to go by the link. */
  offer(frame: Uint8Array): boolean {
    return this.#path?.offer(frame) ?? false;
  }

  override act<T>(action: (session: SessionMachine, now: number) => T): T {
    return this.group(() => super.act(action));
  }

  /** Runs several calls of the session as one. */
  group<T>(calls: () => T): T {
    this.#depth += 1;
    try {
      return calls();
    } finally {
      this.#depth -= 1;
      if (this.#depth === 0 && this.#waiting) this.#runWaiting(this.#waiting);
    }
  }

  /** Runs `action` when no call into the session is under way: now, or right after. */
  afterwards(action: () => void): void {
    if (this.#depth === 0) action();
    else (this.#waiting ??= []).push(action);
  }

  /** What comes by UDP can't wait: over the rate of its token it is dropped. */
  #frameBeside(frame: Uint8Array): void {
    const { rate } = this.#account;
    if (rate?.available === 0) {
      this.#services.counters.drops('session', 'over-rate').add();
      return;
    }
    rate?.take(1);
    this.act((session, now) => session.frameBeside(frame, now));
  }

  #runWaiting(actions: readonly (() => void)[]): void {
    this.#waiting = undefined;
    for (const action of actions) action();
  }

  #voidTicket(): void {
    if (this.#path) this.#services.udp?.revoke(this.#path);
    this.#path = undefined;
  }
}
