import { HashikeError } from '../base/errors.ts';
import type { Message, ReasonValue } from '../wire/message.ts';
import { MessageType } from '../wire/numbers.ts';

/** The error for a CONNACK_* that is no success, or for any other message that came in its place. */
export function refusalOf(message: Message): HashikeError {
  if (message.type === MessageType.CONNACK_FAILED_TOKEN_ERROR) {
    return new HashikeError('HSK-3101', `the server does not accept the token${said(message.reason)}`);
  }
  if (message.type === MessageType.CONNACK_FAILED) {
    const reason = message.reason?.code;
    return new HashikeError('HSK-3102', `the server refused the connection${said(message.reason)}`, {
      reason,
    });
  }
  if (message.type === MessageType.CONNACK_FAILED_VERSION) {
    return new HashikeError('HSK-3102', `the server speaks version ${message.versions.join(', ')} only`);
  }
  if (message.type === MessageType.CONNACK_FAILED_BUSY) {
    const { retryAfter } = message;
    return new HashikeError('HSK-3107', `the server is busy${said(message.reason)}`, { retryAfter });
  }
  const { type } = message;
  return new HashikeError('HSK-3102', 'the server answered the connect with something else', { type });
}

/** Whether connecting again would end the same way. */
export function isFinal(error: unknown): error is HashikeError {
  return error instanceof HashikeError && (error.code === 'HSK-3101' || error.code === 'HSK-3102');
}

/** For whoever asks something of a client that was closed. */
export function closedError(): HashikeError {
  return new HashikeError('HSK-3104', 'the client is closed');
}

/** Milliseconds that a busy server asked for; 0 where it was something else. */
export function retryAfter(error: unknown): number {
  const wish = error instanceof HashikeError ? error.context['retryAfter'] : undefined;
  return typeof wish === 'number' ? wish : 0;
}

/** The error for REJECTED, and for an answer with a REASON. */
export function rejectionOf(reason: ReasonValue): HashikeError {
  return new HashikeError('HSK-3103', `the server refused the message: ${reason.text}`, {
    reason: reason.code,
  });
}

function said(reason: ReasonValue | undefined): string {
  return reason?.text ? `: ${reason.text}` : '';
}
