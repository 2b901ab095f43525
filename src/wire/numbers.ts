/**
 * The numbers of the protocol, one table each (docs/protocol.md, clauses 3 and 4). Messages and sections share one number
 * space: 0x0001-0x00FF messages, 0x0100-0x7FFF sections of the protocol, 0x8000-0xFFFF content of the application.
 */
export const MessageType = {
  CONNECT_TOKEN: 0x0001,
  CONNECT_RESUME: 0x0002,
  CONNACK_SUCCESS: 0x0003,
  CONNACK_RESUMED: 0x0004,
  CONNACK_FAILED: 0x0010,
  CONNACK_FAILED_TOKEN_ERROR: 0x0011,
  CONNACK_FAILED_SESSION_EXPIRED: 0x0012,
  CONNACK_FAILED_BUSY: 0x0013,
  CONNACK_FAILED_VERSION: 0x0014,
  SUBSCRIBE: 0x0020,
  UNSUBSCRIBE: 0x0021,
  PUBLISH: 0x0022,
  ACK: 0x0023,
  REJECTED: 0x0024,
  CONFIRMED: 0x0025,
  WATCH: 0x0030,
  UNWATCH: 0x0031,
  PRESENCE_JOINED: 0x0032,
  PRESENCE_LEFT: 0x0033,
  LIST_SUBSCRIBERS: 0x0034,
  SUBSCRIBERS: 0x0035,
  TIME_REQUEST: 0x0040,
  TIME: 0x0041,
  PING: 0x0042,
  PONG: 0x0043,
  UDP_OPEN: 0x0050,
  UDP_TICKET: 0x0051,
  UDP_PROBE: 0x0052,
  UDP_CONFIRM: 0x0053,
  ALIAS: 0x0060,
  DISCONNECT: 0x007f,
} as const;
export type MessageType = (typeof MessageType)[keyof typeof MessageType];

export const SectionType = {
  TOKEN: 0x0101,
  KEEP_ALIVE: 0x0102,
  CLIENT_ID: 0x0103,
  SESSION_ID: 0x0104,
  MESSAGE_ID: 0x0105,
  TOPIC: 0x0106,
  REASON: 0x0107,
  RESUME_KEY: 0x0108,
  RESUME_WINDOW: 0x0109,
  SERVER_TIME: 0x010a,
  REQUEST_ID: 0x010b,
  ECHO: 0x010c,
  CLIENT_NAME: 0x010d,
  VERSION: 0x010e,
  RETRY_AFTER: 0x010f,
  WILL: 0x0110,
  RETAIN: 0x0111,
  EXPIRY: 0x0112,
  RESPONSE_TOPIC: 0x0113,
  CORRELATION: 0x0114,
  BEST_EFFORT: 0x0115,
  ALIAS_ID: 0x0116,
  LAYOUT: 0x0117,
  CONNECTION_ID: 0x0118,
  KEY: 0x0119,
  PORT: 0x011a,
  CONFIRM: 0x011b,
  ALIAS_ENTRY: 0x011c,
} as const;
export type SectionType = (typeof SectionType)[keyof typeof SectionType];

/** Codes of REASON (clause 4.3). The text beside them is for people; programs switch on the code. */
export const Reason = {
  /** A clean end that needs no explanation. */
  NORMAL: 0,
  /** The bytes break the framing or the order of messages. */
  PROTOCOL_ERROR: 1,
  /** Nothing was heard for 1.5 x KEEP_ALIVE. */
  KEEP_ALIVE_TIMEOUT: 2,
  /** Another connection resumed or replaced this session. */
  TAKEN_OVER: 3,
  /** The server is stopping. */
  SHUTTING_DOWN: 4,
  /** A reliable subscriber stayed over its queue's bound. */
  SLOW_CONSUMER: 5,
  /** The token does not allow this topic. */
  NOT_ALLOWED: 6,
  /** The topic or filter is malformed. */
  INVALID_TOPIC: 7,
  /** A limit of the server would be exceeded; the text names it. */
  LIMIT: 8,
  /** The server knows the message but does not offer it. */
  UNSUPPORTED: 9,
  /** The token is unknown or has expired. */
  TOKEN_ERROR: 10,
  /** The handshake was not finished in time. */
  HANDSHAKE_TIMEOUT: 12,
  /** The peer claims less of one's own numbers than it had acknowledged. */
  STATE_LOST: 13,
} as const;
export type Reason = (typeof Reason)[keyof typeof Reason];

/** The version that this code speaks. */
export const PROTOCOL_VERSION = 1;
/** Bytes before the sections of a message. */
export const MESSAGE_HEADER_BYTES = 8;
/** Bytes before the value of a section. */
export const SECTION_HEADER_BYTES = 4;
/** Largest payload of a message: the largest multiple of 4 in 16 bits. */
export const MAX_PAYLOAD_BYTES = 65_532;
/** First section type of the application. */
export const FIRST_CONTENT_TYPE = 0x8000;
/** Content type of an alias without a layout. */
export const OPAQUE_CONTENT_TYPE = 0x8000;
export const MAX_TOKEN_BYTES = 1024;
export const MAX_CLIENT_NAME_BYTES = 64;
export const DEFAULT_KEEP_ALIVE_MS = 60_000;
export const DEFAULT_RESUME_WINDOW_MS = 60_000;
export const DEFAULT_TCP_PORT = 7858;
export const DEFAULT_TLS_PORT = 8858;

/** Kinds of the short form (clause 6). */
export const ShortKind = {
  PUBLISH: 0,
  PUBLISH_RELIABLE: 1,
  PUBLISH_BATCH: 2,
  ACK: 3,
  PING: 4,
  RESET: 5,
  RESUME: 6,
  FRAGMENT: 7,
} as const;
export type ShortKind = (typeof ShortKind)[keyof typeof ShortKind];

/** Most reliable messages in flight where identifiers are 8 bits wide (clause 6.2). */
export const MAX_SHORT_IN_FLIGHT = 127;
