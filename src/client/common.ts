/** What `hashike/client` gives in Node and in browsers alike. */
export { HashikeError } from '../base/errors.ts';
export { type ContentSection, contentSections, encodeContent } from '../wire/content.ts';
export type { HashikeClient, PublishOptions, ServerTime, SubscribeOptions } from './client.ts';
export type { MessageOptions, Will } from './message-options.ts';
export type { ClientWatch, PresenceEvent } from './presence-book.ts';
export type { ClientMessage, ClientSubscription } from './subscription.ts';
