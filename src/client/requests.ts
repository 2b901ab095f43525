import type { Clock, Timer } from '../base/clock.ts';
import { HashikeError } from '../base/errors.ts';
import type { Subscribers, Time } from '../wire/message.ts';
import type { ControlMessage, SessionKeeper } from './session-keeper.ts';

interface Open {
  readonly send: () => void;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: HashikeError) => void;
  readonly timer: Timer;
}

type Answer = Time | Subscribers;

export interface RequestsOptions {
  readonly clock: Clock;
  /** How long to wait for an answer. */
  readonly timeoutMs: number;
}

/** Questions with a REQUEST_ID and their answers. A question that a break of the link has lost is put again. */
export class Requests {
  readonly #options: RequestsOptions;
  readonly #control: SessionKeeper['control'];
  readonly #open = new Map<number, Open>();
  #last = 0;
  #end: HashikeError | undefined;

  /** @param control puts a message on the link, if there is one */
  constructor(options: RequestsOptions, control: SessionKeeper['control']) {
    this.#options = options;
    this.#control = control;
  }

  /** Puts a question. Rejects with HSK-3108 when it was not answered in time, or as the client ended. */
  ask(make: (requestId: number, timestamp: number) => ControlMessage): Promise<Answer> {
    const { clock, timeoutMs } = this.#options;
    if (this.#end) return Promise.reject(this.#end);
    this.#last = (this.#last + 1) >>> 0;
    const requestId = this.#last;
    return new Promise((resolve, reject) => {
      const timer = clock.after(timeoutMs, () => {
        this.#open.delete(requestId);
        reject(new HashikeError('HSK-3108', 'the server did not answer in time', { timeoutMs }));
      });
      const send = (): void => this.#control((timestamp) => make(requestId, timestamp));
      this.#open.set(requestId, { send, resolve, reject, timer });
      send();
    });
  }

  /** There is a connection again. */
  connected(): void {
    for (const { send } of this.#open.values()) send();
  }

  answered(answer: Answer): void {
    const open = this.#open.get(answer.requestId);
    if (!open) return;
    this.#open.delete(answer.requestId);
    open.timer.cancel();
    open.resolve(answer);
  }

  /** There will be no connection any more. */
  finish(error: HashikeError): void {
    this.#end = error;
    for (const { timer, reject } of this.#open.values()) {
      timer.cancel();
      reject(error);
    }
    this.#open.clear();
  }
}
