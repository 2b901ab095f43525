import { validateTopic } from '../topic/topic.ts';
import type { PublishBody } from '../wire/message.ts';

/** What goes with a message. */
export interface MessageOptions {
  /** The server keeps it as the newest of its topic, and gives it to new subscriptions; without content it clears that. */
  readonly retain?: boolean | undefined;
  /** Nobody wants it after so many milliseconds. */
  readonly expiryMs?: number | undefined;
  /** Where an answer is wanted. */
  readonly responseTopic?: string | undefined;
  /** To what an answer belongs: it comes back with it. */
  readonly correlation?: Uint8Array | undefined;
}

/** A message that the server publishes when the client is gone and has not said goodbye. */
export interface Will extends MessageOptions {
  readonly topic: string;
  /** Raw content sections: see `encodeContent`. */
  readonly content: Uint8Array;
}

/** A message in the words of the protocol. Throws HSK-1201 when the topic is malformed. */
export function publishBody(topic: string, content: Uint8Array, options: MessageOptions): PublishBody {
  validateTopic(topic);
  const { retain = false, expiryMs: expiry, responseTopic, correlation } = options;
  return { topic, retain, expiry, responseTopic, correlation, content };
}
