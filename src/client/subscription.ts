import type { Outgoing } from '../session/ports.ts';
import { MessageType } from '../wire/numbers.ts';
import { Reader } from './reader.ts';

/** One delivery. */
export interface ClientMessage {
  readonly topic: string;
  /** Raw content sections, padded, in order: see `contentSections`. */
  readonly content: Uint8Array;
  readonly reliable: boolean;
  /** It was published before the subscription was made, and retained. */
  readonly retained: boolean;
  /** CLIENT_ID of the publisher, where the server says it. */
  readonly publisher: string | undefined;
  readonly responseTopic: string | undefined;
  readonly correlation: Uint8Array | undefined;
}

/**
 * The deliveries of one subscription, for one reader. A reliable one counts as received when the reader asks for the next: so a slow reader holds the server
 * back. Best-effort ones are dropped while `limit` messages wait.
 */
export class ClientSubscription extends Reader<ClientMessage> {
  readonly filter: string;
  /** What asks the server for it. */
  readonly request: Outgoing;
  readonly #limit: number;

  /** @param options.onEnd is called once, when the reader is done with it. */
  constructor(options: {
    readonly filter: string;
    readonly reliable: boolean;
    readonly limit: number;
    readonly onEnd: () => void;
  }) {
    super(options.onEnd);
    this.filter = options.filter;
    this.request = { type: MessageType.SUBSCRIBE, topics: [options.filter], bestEffort: !options.reliable };
    this.#limit = options.limit;
  }

  /** Hands a delivery over; false when it was dropped. */
  override push(message: ClientMessage, taken: () => void): boolean {
    if (message.reliable || this.waiting < this.#limit) return super.push(message, taken);
    taken();
    return false;
  }
}
