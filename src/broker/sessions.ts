import { createHash, timingSafeEqual } from 'node:crypto';
import { hex } from '../base/bytes.ts';
import type { Timer } from '../base/clock.ts';
import { HashikeError } from '../base/errors.ts';
import type { Random } from '../base/random.ts';
import type { Profiles } from '../profiles/profiles.ts';
import { Alarms } from '../session/alarms.ts';
import type { Spool, StoredSession } from '../spool/ports.ts';
import type { ReasonValue } from '../wire/message.ts';
import { MAX_SHORT_IN_FLIGHT, Reason } from '../wire/numbers.ts';
import type { Access } from './access.ts';
import { type ClientQueue, ClientQueues } from './client-queues.ts';
import { ClientSession } from './client-session.ts';
import type { Grant } from './handshake.ts';
import { decodeContext } from './session-context.ts';
import { type Fate, PastSessions } from './past-sessions.ts';
import { Relay } from './relay.ts';
import type {
  Carrier,
  Departure,
  SessionIdentity,
  SessionRegistry,
  SessionServices,
} from './session-surroundings.ts';
import { type Busy, tokenNameOf } from './token-accounts.ts';

const SESSION_ID_BYTES = 8;
const RESUME_KEY_BYTES = 16;
/** Messages that came early on a lossy link and are kept: as many as can be in flight, for a sender finds it hard to recover what was received and let go. */
const REORDER_MESSAGES = MAX_SHORT_IN_FLIGHT;

export interface SessionsOptions extends Omit<SessionServices, 'relay' | 'alarms' | 'registry' | 'limits'> {
  readonly access: Access;
  readonly profiles: Pick<Profiles, 'forClient'>;
  readonly spool: Spool;
  readonly random: Random;
  readonly limits: Omit<SessionServices['limits'], 'reorderMessages'> & { readonly queuedPerClient: number };
}

/** What a CONNECT_RESUME finds. */
export type Found =
  | { readonly state: 'alive'; readonly session: ClientSession }
  | Fate
  | { readonly state: 'unknown' };

/** Every session, alive or remembered: at most one of each for a client. */
export class Sessions implements SessionRegistry {
  readonly #options: SessionsOptions;
  readonly #services: SessionServices;
  readonly #queues: ClientQueues;
  /** Alive, by the hex of the SESSION_ID. */
  readonly #alive = new Map<string, ClientSession>();
  readonly #byClient = new Map<string, ClientSession>();
  readonly #byPlace = new Map<string, ClientSession>();
  readonly #past: PastSessions;
  /** End of the resume window. */
  readonly #windows = new Map<ClientSession, Timer>();
  #stopped = false;

  constructor(options: SessionsOptions) {
    this.#options = options;
    const limits = { ...options.limits, reorderMessages: REORDER_MESSAGES };
    const relay = new Relay(options.broker, options.clock);
    const alarms = new Alarms(options.clock);
    this.#services = { ...options, limits, relay, alarms, registry: this };
    this.#past = new PastSessions(options.spool, options.log);
    this.#queues = new ClientQueues(options);
  }

  get all(): readonly ClientSession[] {
    return [...this.#alive.values()];
  }

  /** What waits on disk for a client, where its subscriptions are durable. */
  queueOf(clientId: string): ClientQueue | undefined {
    return this.#queues.find(clientId);
  }

  /** Takes up what the disk has of earlier sessions, and the queues of the clients that have commands. */
  async restore(): Promise<void> {
    const { spool } = this.#options;
    this.prepareQueues();
    // Oldest first: the newest of a client, and of a place, is the one that counts.
    const stored = await spool.loadSessions();
    for (const session of stored.toSorted((a, b) => a.updatedAt - b.updatedAt)) this.#restore(session);
  }

  /** Makes the session that was granted, in place of any other of the client, and gives its RESUME_KEY. Not on disk yet: see `custody.save`. */
  create(
    grant: Grant,
    place: string | undefined,
  ): { readonly session: ClientSession; readonly resumeKey: Uint8Array } {
    const { profiles, random, clock } = this.#options;
    const { principal, admission, connect, keepAliveMs, resumeWindowMs } = grant;
    const { clientId } = principal;
    this.#forget(clientId);
    const profile = profiles.forClient(clientId);
    const resumeKey = random.bytes(RESUME_KEY_BYTES);
    const session = this.#add(
      {
        idHex: hex(random.bytes(SESSION_ID_BYTES)),
        keyHash: hashOf(resumeKey),
        principal,
        admission,
        place,
        context: {
          keepAliveMs,
          resumeWindowMs,
          epochWall: clock.wall(),
          will: connect.will,
          confirm: connect.confirm,
          aliases: joined(profile.aliases, connect.aliases),
          subscriptions: NONE,
        },
        received: 0,
        sent: 0,
        restored: false,
      },
      place !== undefined || profile.commands.length > 0,
    );
    return { session, resumeKey };
  }

  /** Why a client can have no session now; undefined: it can. */
  refusal(clientId: string, limit: number): Busy | undefined {
    const account = this.#options.accounts.of(clientId);
    if (account.unstorable) return account.unstorable;
    if (this.#byClient.has(clientId)) return undefined;
    return this.#alive.size < limit ? account.full : { text: 'too many sessions (limits.connections)' };
  }

  /** Ends the sessions of clients that have lost what they were admitted by, or whose rights have changed. */
  enforceAccess(): void {
    const { access, clock } = this.#options;
    for (const session of this.all) {
      const objection = access.objection(session.identity.admission, clock.wall());
      if (objection) session.dismiss(objection);
    }
  }

  /** What a CONNECT_RESUME asks for; a wrong key finds nothing (clause 5.4.4). */
  find(sessionId: Uint8Array, resumeKey: Uint8Array): Found {
    const id = hex(sessionId);
    const keyHash = hashOf(resumeKey);
    const fits = (expected: string): boolean => sameHash(expected, keyHash);
    const session = this.#alive.get(id);
    if (!session) return this.#past.find(id, fits) ?? { state: 'unknown' };
    return fits(session.identity.keyHash) ? { state: 'alive', session } : { state: 'unknown' };
  }

  /** The session whose context belongs to a place (clause 6.5.1). */
  atPlace(place: string): ClientSession | undefined {
    return this.#byPlace.get(place);
  }

  /** Attaches `session` to a connection: see `ClientSession.attach`. */
  attach(session: ClientSession, carrier: Carrier, peerReceived: number | undefined): void {
    session.attach(carrier, peerReceived);
    this.#stopWindow(session);
  }

  /** Its resume window begins: on a wire of its own the context stays for days (clause 6.5.1); elsewhere it lives on for the resume window (clause 5.4.1). */
  detached(session: ClientSession): void {
    const { place, context } = session.identity;
    if (place !== undefined || this.#stopped) return;
    this.#stopWindow(session);
    const timer = this.#options.clock.after(context.resumeWindowMs, () => this.#over(session, true, lost));
    this.#windows.set(session, timer);
  }

  ended(session: ClientSession, will: boolean, reason: ReasonValue): void {
    this.#over(session, will, { reason, mayReturn: false });
  }

  /** Ends a session without its will and remembers nothing of it. */
  discard(session: ClientSession): void {
    this.#over(session, false, replaced);
    this.#forget(session.clientId);
  }

  decided(session: ClientSession): void {
    this.#past.decided(session);
  }

  /** Stops all of them for the end of the gateway; what is on disk stays, and so do wills. */
  stop(): void {
    this.#stopped = true;
    for (const session of this.#alive.values()) {
      session.suspend();
      this.#stopWindow(session);
    }
  }

  /** What is for clients with commands waits on disk, whether they have a session or not. */
  prepareQueues(): void {
    const { access, profiles } = this.#options;
    for (const clientId of new Set([...access.clientIds, ...this.#queues.clientIds])) {
      const own = this.#byClient.get(clientId)?.subscriptions.list.map(({ filter }) => filter) ?? [];
      const { commands } = profiles.forClient(clientId);
      this.#queues.prepare(clientId, commands, own);
    }
  }

  #add(identity: SessionIdentity, durable: boolean): ClientSession {
    const { clientId } = identity.principal;
    const queue = durable
      ? this.#queues.of(clientId, this.#options.profiles.forClient(clientId).commands)
      : undefined;
    const session = new ClientSession(identity, this.#services, queue);
    this.#alive.set(session.idHex, session);
    this.#options.accounts.of(clientId).addSession();
    this.#byClient.set(clientId, session);
    if (identity.place !== undefined) this.#byPlace.set(identity.place, session);
    this.detached(session);
    return session;
  }

  /** A session on disk: one with a context goes on, of the others the numbers count. */
  #restore(stored: StoredSession): void {
    const { access, log } = this.#options;
    const { clientId, received, sent } = stored;
    const idHex = hex(stored.sessionId);
    const keyHash = hex(stored.keyHash);
    const place = stored.place ?? undefined;
    const principal = access.principal(clientId);
    const holder = access.named(tokenNameOf(clientId));
    this.#forget(clientId);
    if (!principal || !holder) {
      log.info(
        { client: clientId },
        'a stored session belongs to a client that the configuration does not know',
      );
      this.#past.forgetOnDisk(idHex);
      return;
    }
    try {
      if (stored.context.length === 0) {
        this.#past.remember({ clientId, idHex, keyHash, received, saved: true });
        return;
      }
      const context = decodeContext(stored.context);
      const admission = { holder };
      this.#add(
        { idHex, keyHash, principal, admission, place, context, received, sent, restored: true },
        true,
      );
    } catch (error) {
      if (!(error instanceof HashikeError)) throw error;
      log.error(
        { err: error, client: clientId },
        'a stored session cannot be read; its client must connect anew',
      );
    }
  }

  #stopWindow(session: ClientSession): void {
    this.#windows.get(session)?.cancel();
    this.#windows.delete(session);
  }

  /** Ends a session that is alive, and remembers how far it came. */
  #over(session: ClientSession, will: boolean, departure: Departure): void {
    if (this.#alive.get(session.idHex) !== session) return;
    const { clientId, identity, custody } = session;
    this.#alive.delete(session.idHex);
    this.#options.accounts.of(clientId).removeSession();
    if (this.#byClient.get(clientId) === session) this.#byClient.delete(clientId);
    if (identity.place !== undefined && this.#byPlace.get(identity.place) === session) {
      this.#byPlace.delete(identity.place);
    }
    session.stop(departure);
    this.#stopWindow(session);
    if (will) session.publishWill();
    if (session.durable) custody.saveSoon();
    this.#past.add(session);
  }

  /** A client that connects anew has what it wanted to know of its session before: that ends without its will (clause 5.3.3), and is forgotten. */
  #forget(clientId: string): void {
    const session = this.#byClient.get(clientId);
    if (session) this.#over(session, false, replaced);
    this.#past.forget(clientId);
  }
}

const NONE: readonly never[] = [];

/** Both lists; most clients have neither, and share one that is empty. */
function joined<T>(first: readonly T[], second: readonly T[]): readonly T[] {
  return first.length + second.length === 0 ? NONE : [...first, ...second];
}

const replaced: Departure = {
  reason: { code: Reason.TAKEN_OVER, text: 'the client connected anew' },
  mayReturn: true,
};
const lost: Departure = {
  reason: { code: Reason.KEEP_ALIVE_TIMEOUT, text: 'the session was not resumed in time' },
  mayReturn: false,
};

function hashOf(key: Uint8Array): string {
  return createHash('sha256').update(key).digest('hex');
}

function sameHash(a: string, b: string): boolean {
  return a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b));
}
