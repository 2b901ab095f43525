import { HashikeError, type ErrorCode } from '../base/errors.ts';
import type { ReasonValue } from '../wire/message.ts';
import { Reason } from '../wire/numbers.ts';

/** What the peer is told where one message is refused alone (clause 5.7.1); other errors are no refusals. */
const codes: Partial<Record<ErrorCode, Reason>> = {
  'HSK-1201': Reason.INVALID_TOPIC,
  'HSK-1202': Reason.INVALID_TOPIC,
  'HSK-3001': Reason.NOT_ALLOWED,
  'HSK-3003': Reason.LIMIT,
  'HSK-3004': Reason.UNSUPPORTED,
  'HSK-3007': Reason.LIMIT,
};

/** Longest text of a REASON in bytes of ASCII, so that it fits in a frame of a serial link. */
const MAX_TEXT = 200;

/** Whether an error refuses a message alone, and nothing else is wrong. */
export function isRefusal(error: unknown): error is HashikeError {
  return error instanceof HashikeError && codes[error.code] !== undefined;
}

/** The REASON for a refusal. Throws what is none again. */
export function reasonOf(error: unknown): ReasonValue {
  const code = error instanceof HashikeError ? codes[error.code] : undefined;
  if (!(error instanceof HashikeError) || code === undefined) throw error;
  return { code, text: shorten(error.message) };
}

/** `text` cut to what a small frame takes; whole characters. */
export function shorten(text: string): string {
  return text.slice(0, MAX_TEXT).toWellFormed();
}
