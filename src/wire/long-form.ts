/** The long form (clause 3): what the rest of the gateway uses of it. */
export { decodeMessage, peekType } from './decode-message.ts';
export { encodeMessage } from './encode-message.ts';
export { LongFormDelimiter } from './long-form-delimiter.ts';
