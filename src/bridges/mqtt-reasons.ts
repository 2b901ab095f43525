import { describeError, HashikeError } from '../base/errors.ts';
import type { Verdict } from './pump.ts';

/** Reason codes of MQTT 5 (and return codes of 3.1.1 below 6) that decide what happens next. */
const Code = {
  BAD_LOGIN_311: 4,
  NOT_AUTHORIZED_311: 5,
  NO_SUBSCRIBERS: 0x10,
  FAILURE: 0x80,
  MALFORMED: 0x81,
  PROTOCOL_ERROR: 0x82,
  BAD_LOGIN: 0x86,
  NOT_AUTHORIZED: 0x87,
  BANNED: 0x8a,
  BAD_METHOD: 0x8c,
  TOPIC_INVALID: 0x90,
  PACKET_TOO_LARGE: 0x95,
  QUOTA: 0x97,
  PAYLOAD_INVALID: 0x99,
  RETAIN_UNSUPPORTED: 0x9a,
} as const;

const refusals: ReadonlyMap<number, string> = new Map([
  [Code.NOT_AUTHORIZED, 'not-authorized'],
  [Code.TOPIC_INVALID, 'topic-invalid'],
  [Code.PAYLOAD_INVALID, 'payload-invalid'],
]);

/** What the reason code of a PUBACK means for the message. */
export function verdictOf(code: number): Verdict {
  if (code < Code.FAILURE) return { kind: 'taken' };
  const refused = refusals.get(code);
  if (refused !== undefined) return { kind: 'refused', reason: refused };
  // A full quota says nothing about the message: it waits as long as it takes.
  return { kind: 'again', forever: code === Code.QUOTA, reason: 'upstream-refuses-for-now' };
}

const logins: ReadonlySet<number> = new Set([
  Code.BAD_LOGIN_311,
  Code.NOT_AUTHORIZED_311,
  Code.BAD_LOGIN,
  Code.NOT_AUTHORIZED,
  Code.BANNED,
  Code.BAD_METHOD,
]);

/** Reasons of a DISCONNECT that speak of a message that was sent, and not of the connection. */
const blames: ReadonlySet<number> = new Set([
  Code.MALFORMED,
  Code.PROTOCOL_ERROR,
  Code.NOT_AUTHORIZED,
  Code.TOPIC_INVALID,
  Code.PACKET_TOO_LARGE,
  Code.PAYLOAD_INVALID,
  Code.RETAIN_UNSUPPORTED,
]);

/** Whether a DISCONNECT with this reason says that a message of ours was at fault. */
export function blamesMessage(code: number | undefined): boolean {
  return code !== undefined && blames.has(code);
}

/** Why a connection was not made: HSK-4102, HSK-4103, HSK-4104 or HSK-4106. */
export function connectFailure(url: string, error: unknown): HashikeError {
  const code = codeOf(error);
  const text = describeError(error);
  if (typeof code === 'number') {
    return logins.has(code)
      ? new HashikeError('HSK-4103', `${url} refused the login: ${text}`, { url, reason: code }, error)
      : new HashikeError('HSK-4106', `${url} refused the connection: ${text}`, { url, reason: code }, error);
  }
  if (typeof code === 'string' && /SSL|TLS|CERT|ISSUER|SIGNATURE|CRL/.test(code)) {
    return new HashikeError('HSK-4104', `TLS with ${url} failed: ${text}`, { url, reason: code }, error);
  }
  return new HashikeError('HSK-4102', `${url} cannot be reached: ${text}`, { url, reason: code }, error);
}

function codeOf(error: unknown): string | number | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' || typeof error.code === 'number' ? error.code : undefined;
}
