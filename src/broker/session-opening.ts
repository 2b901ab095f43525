import { type Clock, sleep } from '../base/clock.ts';
import { HashikeError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { Link } from '../links/link.ts';
import type { ConnectResume, ConnectToken, Message } from '../wire/message.ts';
import { MessageType } from '../wire/numbers.ts';
import type { ClientSession } from './client-session.ts';
import { busy, examine, type Grant, type HandshakeRules, type Refusal } from './handshake.ts';
import type { LinkFaults } from './link-faults.ts';
import type { Sessions } from './sessions.ts';
import type { UdpPaths } from './udp-paths.ts';
import { addressOf, type WrongTokens } from './wrong-tokens.ts';

/** When what is on its way to the disk may be there. */
const RETRY_SOON_MS = 1000;

/** The session that a CONNECT_* opens or resumes, and what is to be said about it. */
export interface Opened {
  readonly session: ClientSession;
  /** CONNACK_SUCCESS or CONNACK_RESUMED; made anew each time, since it tells the time. */
  readonly answer: () => Message;
  /** Last number of ours that the client has. */
  readonly peerReceived: number;
}

export interface SessionOpeningOptions {
  readonly sessions: Sessions;
  readonly rules: HandshakeRules & {
    readonly limits: { readonly connections: number };
    readonly udp?: Pick<UdpPaths, 'address'> | undefined;
  };
  readonly faults: LinkFaults;
  readonly wrongTokens: WrongTokens;
  readonly clock: Clock;
  readonly log: Log;
}

/** Carries out CONNECT_TOKEN (clause 5.3) and CONNECT_RESUME (clause 5.4): to which session they lead, and why to none. */
export class SessionOpening {
  readonly #options: SessionOpeningOptions;

  constructor(options: SessionOpeningOptions) {
    this.#options = options;
  }

  /** CONNECT_TOKEN. A session that is kept on disk is there when this resolves. Never rejects. */
  async begin(connect: ConnectToken, link: Link): Promise<Opened | Refusal> {
    const { rules, faults } = this.#options;
    const outcome = examine(connect, rules, link);
    if (!('type' in outcome)) return this.#open(outcome, link);
    if (outcome.type === MessageType.CONNACK_FAILED_TOKEN_ERROR) {
      const text = outcome.reason?.text ?? 'the token is unknown';
      faults.add('wrong-token', link, new HashikeError('HSK-3101', text));
      return this.#answerLate(outcome, link);
    }
    return outcome;
  }

  /** Wrong tokens cost time (clause 5.3.5). */
  async #answerLate(refusal: Refusal, link: Link): Promise<Refusal> {
    const { wrongTokens, clock } = this.#options;
    const address = addressOf(link);
    const delayMs = wrongTokens.note(address);
    if (delayMs === undefined)
      return busy('too many wrong tokens from this address (limits.wrongTokensAtOnce)');
    await sleep(clock, delayMs);
    wrongTokens.answered(address);
    return refusal;
  }

  /** CONNECT_RESUME. */
  resume({ sessionId, resumeKey, messageId }: ConnectResume, link: Link): Opened | Refusal {
    const { sessions, clock } = this.#options;
    const found = sessions.find(sessionId, resumeKey);
    if (found.state === 'busy')
      return busy('the last messages of the session are on their way to the disk', RETRY_SOON_MS);
    if (found.state === 'over') return expired(found.received);
    if (found.state === 'unknown') return expired(undefined);
    const { session } = found;
    if (messageId < session.acknowledgedUpTo) {
      // What it says of its numbers counts no more, nor does what we would say of them (clause 6.5.6).
      session.forget(
        new HashikeError('HSK-2006', 'a client claims less than it had acknowledged', {
          claimed: messageId,
          acknowledged: session.acknowledgedUpTo,
        }),
      );
      return expired(undefined);
    }
    this.#logOf(link).info(
      { client: session.clientId, session: session.idHex },
      'a client resumed its session',
    );
    return {
      session,
      answer: () => ({
        type: MessageType.CONNACK_RESUMED,
        timestamp: session.timestamp(),
        // Custody of what was received and is not settled has not passed: the client keeps it.
        messageId: session.settled,
        serverTime: clock.wall(),
      }),
      peerReceived: messageId,
    };
  }

  async #open(grant: Grant, link: Link): Promise<Opened | Refusal> {
    const { sessions, rules, clock } = this.#options;
    const { place, reliable } = link.capabilities;
    const refusal = sessions.refusal(grant.principal.clientId, rules.limits.connections);
    if (refusal) return busy(refusal.text, refusal.retryMs);
    const { session, resumeKey } = sessions.create(grant, place);
    try {
      if (session.durable) await session.custody.save();
    } catch (error) {
      sessions.discard(session);
      this.#logOf(link).error({ err: error }, 'a session could not be stored');
      return busy('the session could not be stored');
    }
    // While it was on its way to the disk: another connection took its place, or the token lost what it allowed.
    if (session.over) return busy('the session ended before it was stored', RETRY_SOON_MS);
    this.#logOf(link).info({ client: session.clientId, session: session.idHex }, 'a client connected');
    return {
      session,
      answer: () => ({
        type: MessageType.CONNACK_SUCCESS,
        timestamp: session.timestamp(),
        clientId: session.clientId,
        sessionId: session.sessionId,
        resumeKey,
        keepAlive: grant.keepAliveMs,
        resumeWindow: grant.resumeWindowMs,
        serverTime: clock.wall(),
        port: reliable ? rules.udp?.address?.port : undefined,
      }),
      peerReceived: 0,
    };
  }

  #logOf({ name, peer }: Link): Log {
    return this.#options.log.child({ link: name, peer });
  }
}

/** @param messageId the last one received, where that is remembered and can be trusted. */
function expired(messageId: number | undefined): Refusal {
  return { type: MessageType.CONNACK_FAILED_SESSION_EXPIRED, timestamp: 0, messageId };
}
