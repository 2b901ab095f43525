import type { Clock } from '../base/clock.ts';
import { HashikeError } from '../base/errors.ts';
import type { Link, LinkHandler } from '../links/link.ts';
import { decodeMessage, encodeMessage } from '../wire/long-form.ts';
import type { Message } from '../wire/message.ts';

export interface HandshakeOptions {
  /** CONNECT_TOKEN or CONNECT_RESUME. */
  readonly hello: Message;
  readonly clock: Clock;
  readonly timeoutMs: number;
  /** Takes the first message of the server at once, since others may follow it in the same breath; what it throws ends the link. */
  readonly answered: (message: Message) => void;
  /** Serves the link after the answer. */
  readonly after: LinkHandler;
}

/** Starts a link with `hello`. Resolves when it was answered; rejects with HSK-3104 when it was not, and with what `answered` throws. */
export function shakeHands(link: Link, options: HandshakeOptions): Promise<void> {
  const { hello, clock, timeoutMs, answered, after } = options;
  return new Promise((resolve, reject) => {
    let done = false;
    const timer = clock.after(timeoutMs, () => link.close());
    link.start({
      frame: (bytes) => {
        if (done) {
          after.frame(bytes);
          return;
        }
        done = true;
        timer.cancel();
        try {
          answered(decodeMessage(bytes));
          resolve();
        } catch (error) {
          link.close();
          reject(
            error instanceof HashikeError
              ? error
              : new HashikeError('HSK-1001', 'a handshake failed', {}, error),
          );
        }
      },
      drained: () => after.drained(),
      closed: (cause) => {
        timer.cancel();
        if (done) after.closed(cause);
        else
          reject(
            new HashikeError('HSK-3104', 'the connection was closed before the server answered', {}, cause),
          );
      },
    });
    link.send(encodeMessage(hello));
  });
}
