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

function said(reason: ReasonValue | undefined): string {
  return reason?.text ? `: ${reason.text}` : '';
}
