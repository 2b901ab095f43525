import type { HashikeError } from '../base/errors.ts';
import type { Outgoing } from '../session/ports.ts';
import { matches } from '../topic/topic.ts';
import type { Publish } from '../wire/message.ts';
import { MessageType } from '../wire/numbers.ts';
import type { Send } from './outbox.ts';
import { ClientSubscription } from './subscription.ts';

/** The subscriptions of a client, over all its sessions. */
export class SubscriptionBook {
  readonly #ask: (message: Outgoing) => Promise<void>;
  readonly #limit: number;
  readonly #subscriptions = new Set<ClientSubscription>();

  /**
   * @param ask sends a numbered message and resolves at its ACK
   * @param limit best-effort messages that wait for the reader of a subscription
   */
  constructor(ask: (message: Outgoing) => Promise<void>, limit: number) {
    this.#ask = ask;
    this.#limit = limit;
  }

  async subscribe(filter: string, reliable: boolean): Promise<ClientSubscription> {
    const subscription = new ClientSubscription({
      filter,
      reliable,
      limit: this.#limit,
      onEnd: () => this.#unsubscribe(subscription),
    });
    this.#subscriptions.add(subscription);
    try {
      await this.#ask(subscription.request);
    } catch (error) {
      this.#subscriptions.delete(subscription);
      throw error;
    }
    return subscription;
  }

  /** To each subscription that takes it. @param taken is called when all have read it */
  deliver(publish: Publish, taken: () => void): void {
    const { topic = '', messageId, content, retain, expiry, clientId, responseTopic, correlation } = publish;
    const message = {
      topic,
      content,
      reliable: messageId !== undefined,
      retained: retain,
      publisher: clientId,
      responseTopic,
      correlation,
    };
    // One that has expired comes for its number only (clause 5.5.6).
    const readers =
      expiry === 0 ? [] : [...this.#subscriptions].filter(({ filter }) => matches(filter, topic));
    if (readers.length === 0) taken();
    let open = readers.length;
    for (const reader of readers) {
      reader.push(message, () => {
        open -= 1;
        if (open === 0) taken();
      });
    }
  }

  /** A new session begins: subscribes again. @param again what is asked in any case */
  renew(send: Send, again: ReadonlySet<Outgoing>): void {
    for (const subscription of this.#subscriptions) {
      if (again.has(subscription.request)) continue;
      send(subscription.request, nothing, (error) => subscription.finish(error));
    }
  }

  finish(error: HashikeError | undefined): void {
    for (const subscription of this.#subscriptions) subscription.finish(error);
  }

  #unsubscribe(subscription: ClientSubscription): void {
    this.#subscriptions.delete(subscription);
    const { filter } = subscription;
    if ([...this.#subscriptions].some((other) => other.filter === filter)) return;
    // Nobody waits for it; a session that ends before has none any more.
    this.#ask({ type: MessageType.UNSUBSCRIBE, topics: [filter] }).catch(nothing);
  }
}

function nothing(): void {}
