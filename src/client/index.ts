export { connect, type ClientOptions } from './connect.ts';
export type { ClientTls } from '../links/open-stream.ts';
export * from './common.ts';
