import type { HashikeError } from '../base/errors.ts';
import type { PublishView } from '../wire/publish-view.ts';

/** What a link can do; upper layers switch on this, never on "tcp". */
export interface LinkCapabilities {
  /** Frames arrive, in order and once, until the link closes. Otherwise any frame may be lost. */
  readonly reliable: boolean;
  /** Whether the short form may be spoken after a connect. */
  readonly shortForm: boolean;
  /** Largest frame in bytes, before stuffing. */
  readonly mtu: number;
  /** Bits per second of the medium, start and stop bits included; undefined where it is not a bottleneck. */
  readonly bitRate?: number | undefined;
  /** Peers on this link need no new proof after it re-appears: one wire, one node. Names the place for contexts kept on disk. */
  readonly place?: string | undefined;
}

/** What a link tells its user. Calls never come before `Link.start` nor after `closed`. */
export interface LinkHandler {
  /** One whole frame, without delimiters or checksum. The bytes belong to the handler. */
  frame(bytes: Uint8Array): void;
  /**
   * In place of `frame`, where the handler takes it: the whole long-form messages from `from` to `to`, one after the other, their headers verified. Several that came at once cost less so. The
   * bytes are lent for the time of the call.
   */
  run?(bytes: Uint8Array, from: number, to: number): void;
  /** The queue fell below its low-water mark after `send` had answered false. */
  drained(): void;
  /** Exactly once, last. `cause` is undefined when we closed it or the peer did so cleanly. */
  closed(cause?: HashikeError): void;
}

/** One connection over some medium, in frames. */
export interface Link {
  /** For logs and counters, such as `serial garden` or `tcp`. From a small fixed set. */
  readonly name: string;
  /** For people: the remote address or device. */
  readonly peer: string;
  readonly capabilities: LinkCapabilities;
  /** IP address of the peer, where it may have a UDP path beside the link (clause 8.3). */
  readonly remoteAddress?: string | undefined;
  /** Common name of the client's certificate, where the transport has verified one. */
  readonly certificate?: string | undefined;
  /** Bytes accepted by `send` and not yet given to the operating system. */
  readonly queuedBytes: number;
  /** Starts the flow of frames. */
  start(handler: LinkHandler): void;
  /** Queues one frame. False: over the high-water mark, wait for `drained`. Frames over the MTU throw HSK-1103. */
  send(frame: Uint8Array): boolean;
  /** As `send`, for a best-effort PUBLISH that is written straight into the outgoing bytes. Where it is missing there is `send`. */
  relay?(publish: PublishView, timestamp: number): boolean;
  /** Stops reading from the medium, for back-pressure. */
  pause(): void;
  resume(): void;
  /** Sends what is queued, as far as the peer takes it in a bounded time, and closes. */
  close(): void;
}

/** Makes links: a listening socket, or a serial port that comes and goes. */
export interface LinkSource {
  /** Resolves when it listens, or keeps trying to. Throws HSK-21xx when the configuration can't work. */
  open(onLink: (link: Link) => void): Promise<void>;
  close(): Promise<void>;
}
