export { HashikeError } from '../base/errors.ts';
export { type ContentSection, contentSections, encodeContent } from '../wire/content.ts';
export { connect, type HashikeClient, type PublishOptions, type SubscribeOptions } from './client.ts';
export type { ClientTls } from '../links/open-stream.ts';
export type { ClientOptions } from './options.ts';
export type { ClientMessage, ClientSubscription } from './subscription.ts';
