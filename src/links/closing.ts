import type { HashikeError } from '../base/errors.ts';
import { encodeMessage } from '../wire/long-form.ts';
import { MessageType, Reason } from '../wire/numbers.ts';

/** How long closing waits for the peer to take what is queued. */
export const CLOSE_TIMEOUT_MS = 2000;

/** The DISCONNECT for bytes that are no message, or announce one that is too long (clauses 5.7.2 and 9). */
export function farewell(error: HashikeError): Uint8Array {
  const code = error.code === 'HSK-1103' ? Reason.LIMIT : Reason.PROTOCOL_ERROR;
  return encodeMessage({ type: MessageType.DISCONNECT, timestamp: 0, reason: { code, text: error.message } });
}
