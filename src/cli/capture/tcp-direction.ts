import { concat } from '../../base/bytes.ts';
import { HashikeError } from '../../base/errors.ts';
import { decodeMessage, peekType } from '../../wire/long-form.ts';
import { MessageType } from '../../wire/numbers.ts';
import { frameLength, MessageStream } from './message-stream.ts';
import type { ByteStreamSink } from './tcp-reassembly.ts';
import { WebSocketStream } from './websocket-stream.ts';

/** What a direction of a connection turns out to be. */
export type Protocol = 'tcp' | 'websocket' | 'tls' | 'foreign';

export interface DirectionSink {
  recognised(protocol: Protocol): void;
  message(frame: Uint8Array): void;
  note(text: string): void;
  /** A WebSocket message that is not binary. */
  foreignMessage(): void;
}

const MAX_HTTP_HEADER_BYTES = 16_384;
/** What tells the protocols apart. */
const DECISIVE_BYTES = 4;
/** What the first message of either side may be (clause 5.3.1). */
const openings: ReadonlySet<number> = new Set([
  MessageType.CONNECT_TOKEN,
  MessageType.CONNECT_RESUME,
  MessageType.CONNACK_SUCCESS,
  MessageType.CONNACK_RESUMED,
  MessageType.CONNACK_FAILED,
  MessageType.CONNACK_FAILED_TOKEN_ERROR,
  MessageType.CONNACK_FAILED_SESSION_EXPIRED,
  MessageType.CONNACK_FAILED_BUSY,
  MessageType.CONNACK_FAILED_VERSION,
]);

type Reader = ByteStreamSink & { end(): void };

/** Reads what is nothing to be read. */
const nobody: Reader = { feed: () => undefined, gap: () => undefined, end: () => undefined };

/**
 * One direction of a TCP connection: finds out from the first bytes what it carries (messages, a WebSocket, TLS, or nothing of ours), and
 * takes the messages out of it. At a port of ours whatever comes is taken for messages; elsewhere a direction must begin with one that opens a session.
 */
export class TcpDirection implements ByteStreamSink {
  readonly #sink: DirectionSink;
  readonly #atOurs: () => boolean;
  readonly #fromStart: boolean;
  #kept: Uint8Array = new Uint8Array(0);
  /** Undefined while the protocol is not known. */
  #reader: Reader | undefined;
  #head = false;

  /**
   * @param options.atOurs whether the connection is taken for ours whatever it says.
   * @param options.fromStart whether the capture has the beginning of the connection.
   */
  constructor(options: {
    readonly sink: DirectionSink;
    readonly atOurs: () => boolean;
    readonly fromStart: boolean;
  }) {
    this.#sink = options.sink;
    this.#atOurs = options.atOurs;
    this.#fromStart = options.fromStart;
  }

  feed(bytes: Uint8Array): void {
    if (this.#reader) return this.#reader.feed(bytes);
    this.#kept = concat([this.#kept, bytes]);
    if (this.#head) this.#readHttpHead();
    else if (this.#kept.length >= DECISIVE_BYTES) this.#decide();
  }

  gap(bytes: number): void {
    if (this.#reader) return this.#reader.gap(bytes);
    if (!this.#atOurs() || this.#head) return this.#become('foreign');
    const messages = new MessageStream(this.#messageSink(), this.#fromStart);
    this.#become('tcp', messages);
    messages.gap(bytes);
  }

  end(): void {
    if (!this.#reader && this.#kept.length > 0) this.#become('foreign');
    this.#reader?.end();
  }

  #decide(): void {
    const start = Buffer.from(this.#kept.subarray(0, DECISIVE_BYTES)).toString('latin1');
    const [first = 0, second = 0, third = 0] = this.#kept;
    // A TLS record: content type 20 to 23, version 3.x.
    if (first >= 20 && first <= 23 && second === 3 && third <= 4) {
      this.#become(this.#atOurs() ? 'tls' : 'foreign');
    } else if (start === 'GET ' || start === 'HTTP') {
      this.#head = true;
      this.#readHttpHead();
    } else if (this.#atOurs()) {
      this.#become('tcp', new MessageStream(this.#messageSink(), this.#fromStart));
    } else if (
      this.#fromStart &&
      openings.has(peekType(this.#kept) ?? 0) &&
      frameLength(this.#kept) !== undefined
    ) {
      this.#readBy(new MessageStream(this.#provingSink(), true));
    } else {
      this.#become('foreign');
    }
  }

  /** An upgrade to our sub-protocol, or at our port to any WebSocket. */
  #readHttpHead(): void {
    const text = Buffer.from(this.#kept).toString('latin1');
    const end = text.indexOf('\r\n\r\n');
    if (end === -1) {
      if (this.#kept.length > MAX_HTTP_HEADER_BYTES) this.#become('foreign');
      return;
    }
    const head = text.slice(0, end);
    const upgrade = /^upgrade:\s*websocket\s*$/im.test(head);
    const ours = this.#atOurs() || /^sec-websocket-protocol:.*\bhashike\.tlv\.1\b/im.test(head);
    if (!upgrade || !ours) return this.#become('foreign');
    const messages = new MessageStream(this.#messageSink(), true);
    const masked = head.startsWith('GET ');
    this.#kept = this.#kept.slice(end + 4);
    this.#become('websocket', new WebSocketStream(messages, masked, () => this.#sink.foreignMessage()));
  }

  #become(protocol: Protocol, reader: Reader = nobody): void {
    this.#sink.recognised(protocol);
    this.#readBy(reader);
  }

  /** Hands what was kept and all that comes to `reader`. */
  #readBy(reader: Reader): void {
    const kept = this.#kept;
    this.#reader = reader;
    this.#kept = new Uint8Array(0);
    if (kept.length > 0) reader.feed(kept);
  }

  #messageSink(): ConstructorParameters<typeof MessageStream>[0] {
    return {
      message: (frame) => this.#sink.message(frame),
      lost: (missing, skipped) => this.#sink.note(lossText(missing, skipped)),
    };
  }

  /** Believes that a direction at another port is ours once its first message is one. */
  #provingSink(): ConstructorParameters<typeof MessageStream>[0] {
    let proven = false;
    const sink = this.#messageSink();
    return {
      message: (frame) => {
        if (!proven && !this.#proves(frame)) return;
        proven = true;
        sink.message(frame);
      },
      lost: (missing, skipped) => {
        if (proven) sink.lost(missing, skipped);
        else if (this.#reader !== nobody) this.#become('foreign');
      },
    };
  }

  #proves(frame: Uint8Array): boolean {
    if (this.#reader === nobody) return false;
    try {
      decodeMessage(frame);
    } catch (error) {
      if (!(error instanceof HashikeError)) throw error;
      this.#become('foreign');
      return false;
    }
    this.#sink.recognised('tcp');
    return true;
  }
}

function lossText(missing: number, skipped: number): string {
  const parts = [
    ...(missing > 0 ? [`${missing} bytes are missing in the capture`] : []),
    ...(skipped > 0 ? [`${skipped} bytes were passed over that are no whole message`] : []),
  ];
  return parts.join(', ');
}
