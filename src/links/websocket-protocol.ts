import { HashikeError } from '../base/errors.ts';
import { MAX_PAYLOAD_BYTES, MESSAGE_HEADER_BYTES } from '../wire/numbers.ts';

/** Where a server has it. */
export const WEBSOCKET_PATH = '/tlv';

/** The sub-protocol. */
export const WEBSOCKET_PROTOCOL = 'hashike.tlv.1';

/** Largest WebSocket message (clause 3.5.2). */
export const MAX_WEBSOCKET_BYTES = MESSAGE_HEADER_BYTES + MAX_PAYLOAD_BYTES;

/** Waiting bytes over which a link's `send` answers false; `drained` comes at half of them. */
export const HIGH_WATER_BYTES = 65_536;

/** Status codes of RFC 6455, section 7.4.1. */
export const CloseCode = {
  NORMAL: 1000,
  GOING_AWAY: 1001,
  PROTOCOL_ERROR: 1002,
  UNSUPPORTED_DATA: 1003,
  NO_STATUS: 1005,
  TOO_BIG: 1009,
} as const;

/** Codes with which a link was closed and did not break (clause 3.5.4). */
export const cleanCodes: ReadonlySet<number> = new Set([
  CloseCode.NORMAL,
  CloseCode.GOING_AWAY,
  CloseCode.NO_STATUS,
]);

/** Throws HSK-1103 for a frame that a link does not take. */
export function checkLength(frame: Uint8Array, most: number): void {
  if (frame.length <= most) return;
  throw new HashikeError('HSK-1103', 'a frame is longer than the link takes', { length: frame.length, most });
}
