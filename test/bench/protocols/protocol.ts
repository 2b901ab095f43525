/** What one frame of a peer's protocol means to the load generator. */
export const FrameKind = {
  OTHER: 0,
  /** The broker took the connection. */
  CONNECTED: 1,
  /** The broker took a subscription. */
  SUBSCRIBED: 2,
  DELIVERY: 3,
  /** A keep-alive that wants an answer. */
  PING: 4,
} as const;
export type FrameKind = (typeof FrameKind)[keyof typeof FrameKind];

export interface PublishOptions {
  readonly topic: string;
  /** Bytes of the content. */
  readonly contentBytes: number;
  readonly reliable: boolean;
}

/** One publish, to be sent many times over. */
export interface PublishTemplate {
  readonly frame: Buffer;
  /** Where its number stands; undefined for best effort. */
  readonly numberAt: number | undefined;
  /** Where its content begins. */
  readonly contentAt: number;
}

/** Says of reliable deliveries, read after read, that they came. */
export interface Acknowledger {
  delivered(bytes: Buffer, at: number): void;
  /** What is to be sent now; undefined when nothing is. */
  take(): Buffer | undefined;
}

/**
 * As much of a protocol as a load generator needs: frames that are encoded before the clock runs, and a parser that only counts. Written by hand, because a client library costs
 * more than the broker that is to be measured.
 */
export interface Protocol {
  /** Sent first. @param name distinguishes this client from the others. */
  hello(name: string, resumable: boolean): Buffer;
  /** @param number counts the subscriptions of this client from 1. */
  subscribe(filters: readonly string[], number: number, reliable: boolean): Buffer;
  publish(options: PublishOptions): PublishTemplate;
  /** Writes the publisher's next number, counted from 1, where the template says. */
  writeNumber(frame: Buffer, at: number, number: number): void;
  /** Length of the frame at `at`; 0 when too little of it is there to tell. */
  lengthAt(bytes: Buffer, at: number, end: number): number;
  kindAt(bytes: Buffer, at: number): FrameKind;
  /** Bytes after the content of a delivery. */
  readonly trailerBytes: number;
  /** The answer to a PING. */
  readonly pong: Buffer;
  /** Keeps an idle connection open. */
  readonly keepAlive: Buffer;
  acknowledger(): Acknowledger;
}
