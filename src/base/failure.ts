import { type ErrorCode, type ErrorContext, HashikeError } from './errors.ts';

/** A HashikeError in a shape that can be copied between threads and processes; its class would not survive the copy. */
export interface Failure {
  readonly code: ErrorCode;
  readonly detail: string;
  readonly context: ErrorContext;
}

/** `error` as it crosses. */
export function toFailure(error: HashikeError): Failure {
  const suffix = ` [${error.code}]`;
  return {
    code: error.code,
    detail: error.message.endsWith(suffix) ? error.message.slice(0, -suffix.length) : error.message,
    context: error.context,
  };
}

/** The error that `toFailure` was given, without its cause and stack. */
export function fromFailure(failure: Failure): HashikeError {
  return new HashikeError(failure.code, failure.detail, failure.context);
}
