import type { Clock } from '../base/clock.ts';
import { HashikeError } from '../base/errors.ts';
import type { Link } from '../links/link.ts';
import { validateTopic } from '../topic/topic.ts';
import type { ConnectToken, Message, ReasonValue } from '../wire/message.ts';
import {
  DEFAULT_KEEP_ALIVE_MS,
  DEFAULT_RESUME_WINDOW_MS,
  MessageType,
  PROTOCOL_VERSION,
  Reason,
} from '../wire/numbers.ts';
import type { Access, Admission } from './access.ts';
import type { Principal } from './ports.ts';
import { reasonOf } from './reasons.ts';

/** Aliases of a session (clause 9). */
const MAX_ALIASES = 256;
/** When to come back after CONNACK_FAILED_BUSY. */
const RETRY_AFTER_MS = 5000;

/** What a CONNECT_TOKEN was granted. */
export interface Grant {
  readonly principal: Principal;
  readonly admission: Admission;
  readonly keepAliveMs: number;
  readonly resumeWindowMs: number;
  readonly connect: ConnectToken;
}

export type Refusal = Extract<
  Message,
  {
    readonly type:
      | typeof MessageType.CONNACK_FAILED
      | typeof MessageType.CONNACK_FAILED_TOKEN_ERROR
      | typeof MessageType.CONNACK_FAILED_SESSION_EXPIRED
      | typeof MessageType.CONNACK_FAILED_BUSY
      | typeof MessageType.CONNACK_FAILED_VERSION;
  }
>;

export interface HandshakeRules {
  readonly access: Access;
  readonly clock: Pick<Clock, 'wall'>;
  readonly limits: { readonly keepAliveMs: number; readonly resumeWindowMs: number };
}

/**
 * Looks at a CONNECT_TOKEN in the order of clause 5.3: version, token (or the certificate of the link), name, will, aliases, wishes. A node at a place of its
 * own may be silent for as long as it likes.
 */
export function examine(
  connect: ConnectToken,
  rules: HandshakeRules,
  { certificate, capabilities }: Pick<Link, 'certificate' | 'capabilities'>,
): Grant | Refusal {
  if ((connect.version ?? PROTOCOL_VERSION) !== PROTOCOL_VERSION) {
    return { type: MessageType.CONNACK_FAILED_VERSION, timestamp: 0, versions: [PROTOCOL_VERSION] };
  }
  const { access, clock } = rules;
  const certified = certificate === undefined ? undefined : access.byCertificate(certificate);
  const admission = certified ?? access.byToken(connect.token);
  if (!admission) return tokenError('the token is unknown');
  const { holder } = admission;
  if (access.isExpired(holder, clock.wall())) return tokenError('the token has expired');
  try {
    const principal = holder.principal(connect.clientName);
    checkWill(connect, principal);
    checkAliases(connect);
    const { limits } = rules;
    return {
      principal,
      admission,
      keepAliveMs: keepAlive(
        connect.keepAlive ?? DEFAULT_KEEP_ALIVE_MS,
        limits.keepAliveMs,
        capabilities.place !== undefined,
      ),
      resumeWindowMs: Math.min(connect.resumeWindow ?? DEFAULT_RESUME_WINDOW_MS, limits.resumeWindowMs),
      connect,
    };
  } catch (error) {
    return refused(reasonOf(error));
  }
}

function tokenError(text: string): Refusal {
  const reason = { code: Reason.TOKEN_ERROR, text };
  return { type: MessageType.CONNACK_FAILED_TOKEN_ERROR, timestamp: 0, reason };
}

function refused(reason: ReasonValue): Refusal {
  return { type: MessageType.CONNACK_FAILED, timestamp: 0, reason };
}

/** The client comes back after `retryAfter` milliseconds. */
export function busy(text: string, retryAfter = RETRY_AFTER_MS): Refusal {
  return {
    type: MessageType.CONNACK_FAILED_BUSY,
    timestamp: 0,
    reason: { code: Reason.LIMIT, text },
    retryAfter: Math.ceil(retryAfter),
  };
}

function checkWill({ will }: ConnectToken, principal: Principal): void {
  if (!will) return;
  validateTopic(will.topic);
  if (will.responseTopic !== undefined) validateTopic(will.responseTopic);
  if (!principal.mayPublish(will.topic)) {
    throw new HashikeError('HSK-3001', `the will may not be published to ${will.topic}`, {
      topic: will.topic,
    });
  }
}

function checkAliases({ aliases }: ConnectToken): void {
  if (aliases.length > MAX_ALIASES) {
    throw new HashikeError('HSK-3003', `a session has at most ${MAX_ALIASES} aliases`, {
      aliases: aliases.length,
    });
  }
  for (const { topic } of aliases) validateTopic(topic);
}

/** 0 stands for none, which only a node that sleeps is granted. */
function keepAlive(wish: number, most: number, sleeps: boolean): number {
  if (sleeps && wish === 0) return 0;
  return wish === 0 ? most : Math.min(wish, most);
}
