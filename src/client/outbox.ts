import { HashikeError } from '../base/errors.ts';
import type { Outgoing } from '../session/ports.ts';
import type { SessionPipe } from '../session/pipe.ts';
import type { Settings } from './options.ts';
import { type Pending, PendingMessages } from './pending-messages.ts';
import { closedError } from './refusals.ts';

/** Publishes that are acknowledged and wait for CONFIRMED at most. */
const MAX_UNCONFIRMED = 10_000;

/** Sends a numbered message; `resolve` or `reject` at its ACK. */
export type Send = (message: Outgoing, resolve: () => void, reject: (error: HashikeError) => void) => void;

/** Numbered messages on their way to the server. What has not arrived when a session is over goes on in the next one. */
export class Outbox {
  readonly #limits: Pick<Settings, 'sendQueueBytes' | 'confirm'>;
  readonly #pending = new PendingMessages();
  /** Of the session; undefined before the first and after the last. */
  #pipe: SessionPipe | undefined;
  #end: HashikeError | undefined;

  constructor(limits: Pick<Settings, 'sendQueueBytes' | 'confirm'>) {
    this.#limits = limits;
  }

  /** Sends a message, now or as soon as there is a connection; resolves at its ACK, or at CONFIRMED. Rejects with HSK-3103, HSK-3105, HSK-3109, HSK-3110, or as the client ended. */
  request(message: Outgoing, confirmed = false): Promise<void> {
    const { sendQueueBytes, confirm } = this.#limits;
    const pipe = this.#pipe;
    if (confirmed && !confirm) {
      return Promise.reject(new HashikeError('HSK-3110', 'the client was connected without `confirm`'));
    }
    if (!pipe) return Promise.reject(this.#end ?? closedError());
    if (
      pipe.session.queuedBytes > sendQueueBytes ||
      (confirmed && this.#pending.unconfirmed >= MAX_UNCONFIRMED)
    ) {
      const what = confirmed ? 'confirmed' : 'acknowledged';
      return Promise.reject(new HashikeError('HSK-3105', `too much waits to be ${what}`));
    }
    return new Promise((resolve, reject) => this.#send(pipe, { message, confirmed, resolve, reject }));
  }

  /**
   * A new session begins: what has not arrived is said again, under new numbers.
   * @param renew says before that what is in force; `again` holds what is said in any case
   */
  begin(pipe: SessionPipe, renew: (send: Send, again: ReadonlySet<Outgoing>) => void): void {
    const again = this.#pending.take();
    this.#pipe = pipe;
    renew(
      (message, resolve, reject) => this.#send(pipe, { message, resolve, reject }),
      new Set(again.map(({ message }) => message)),
    );
    for (const pending of again) this.#send(pipe, pending);
  }

  acknowledged(messageId: number): void {
    this.#pending.acknowledge(messageId);
  }

  confirmed(messageId: number): void {
    this.#pending.confirm(messageId);
  }

  rejected(messageId: number, error: HashikeError): void {
    this.#pending.reject(messageId, error);
  }

  /** There will be no session any more. */
  finish(error: HashikeError): void {
    this.#pipe = undefined;
    this.#end = error;
    for (const { reject } of this.#pending.take()) reject(error);
  }

  #send(pipe: SessionPipe, pending: Omit<Pending, 'messageId'>): void {
    const messageId = pipe.act((session, now) => session.sendReliable(pending.message, now));
    if (messageId !== undefined) this.#pending.add({ ...pending, messageId });
    else pending.reject(new HashikeError('HSK-3105', 'too much waits to be acknowledged'));
  }
}
