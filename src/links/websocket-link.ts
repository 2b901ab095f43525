import type { WebSocket } from 'ws';
import type { Clock } from '../base/clock.ts';
import { HashikeError } from '../base/errors.ts';
import { LongFormDelimiter } from '../wire/long-form-delimiter.ts';
import { MESSAGE_HEADER_BYTES } from '../wire/numbers.ts';
import { CLOSE_TIMEOUT_MS, farewell } from './closing.ts';
import type { Link, LinkCapabilities, LinkHandler } from './link.ts';
import {
  checkLength,
  cleanCodes,
  CloseCode,
  HIGH_WATER_BYTES,
  MAX_WEBSOCKET_BYTES,
} from './websocket-protocol.ts';

/** What both ends tell the library: the size of clause 3.5.2, and no compression, which costs memory per connection and gains little on short messages. */
export const webSocketOptions = {
  maxPayload: MAX_WEBSOCKET_BYTES,
  perMessageDeflate: false,
} as const;

export interface WebSocketLinkOptions {
  /** Largest payload of a message; a longer one ends the link as soon as it is announced. */
  readonly messageBytes: number;
  readonly clock: Clock;
}

/**
 * A WebSocket that is open, in long-form messages (clause 3.5). What is sent in one turn of the event loop leaves in one WebSocket message. What breaks
 * the rules gets DISCONNECT and a close with a code; `closed` then has an error that is the peer's fault.
 */
export class WebSocketLink implements Link {
  readonly name = 'websocket';
  readonly peer: string;
  readonly certificate: string | undefined;
  readonly capabilities: LinkCapabilities;
  readonly #socket: WebSocket;
  readonly #clock: Clock;
  readonly #delimiter: LongFormDelimiter;
  #handler: LinkHandler | undefined;
  #cause: HashikeError | undefined;
  /** What the next WebSocket message will hold. */
  #batch: Uint8Array[] = [];
  #batchBytes = 0;
  #full = false;
  /** `close` was called, or the stream is lost: nothing goes up any more but `closed`. */
  #closing = false;

  constructor(
    socket: WebSocket,
    { peer, certificate }: { readonly peer: string; readonly certificate?: string | undefined },
    options: WebSocketLinkOptions,
  ) {
    this.#socket = socket;
    this.#clock = options.clock;
    this.peer = peer;
    this.certificate = certificate;
    const maxFrameBytes = MESSAGE_HEADER_BYTES + options.messageBytes;
    this.capabilities = { reliable: true, shortForm: false, mtu: maxFrameBytes };
    this.#delimiter = new LongFormDelimiter({
      maxFrameBytes,
      onFrame: (frame) => {
        if (!this.#closing) this.#handler?.frame(frame);
      },
    });
    socket.pause();
    socket.on('error', (error) => {
      this.#cause ??= failure(error, this.peer);
      this.close();
    });
    socket.on('close', (code) => this.#closed(code));
  }

  get queuedBytes(): number {
    return this.#batchBytes + this.#socket.bufferedAmount;
  }

  start(handler: LinkHandler): void {
    const socket = this.#socket;
    this.#handler = handler;
    socket.on('message', (data, isBinary) => this.#message(data, isBinary));
    // A connection can break before anybody looks at it.
    if (socket.readyState === socket.CLOSED) queueMicrotask(() => this.#closed(CloseCode.NO_STATUS));
    else socket.resume();
  }

  send(frame: Uint8Array): boolean {
    checkLength(frame, this.capabilities.mtu);
    if (this.#closing || this.#socket.readyState !== this.#socket.OPEN) return true;
    if (this.#batchBytes + frame.length > webSocketOptions.maxPayload) this.#flush();
    if (this.#batch.length === 0) setImmediate(() => this.#flush());
    this.#batch.push(frame);
    this.#batchBytes += frame.length;
    this.#full ||= this.queuedBytes > HIGH_WATER_BYTES;
    return !this.#full;
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    if (!this.#closing) this.#socket.resume();
  }

  close(): void {
    this.#close(CloseCode.NORMAL);
  }

  #close(code: number): void {
    if (this.#closing) return;
    this.#flush();
    this.#closing = true;
    const socket = this.#socket;
    socket.close(code);
    // Reading on lets the answer of the peer be seen; what else comes is left out.
    socket.resume();
    const timer = this.#clock.after(CLOSE_TIMEOUT_MS, () => socket.terminate());
    socket.once('close', () => timer.cancel());
  }

  #flush(): void {
    const [first] = this.#batch;
    if (!first) return;
    const bytes = this.#batch.length === 1 ? first : Buffer.concat(this.#batch, this.#batchBytes);
    this.#batch = [];
    this.#batchBytes = 0;
    // An error is told by the socket too.
    this.#socket.send(bytes, { binary: true }, () => this.#sent());
  }

  #sent(): void {
    if (!this.#full || this.queuedBytes > HIGH_WATER_BYTES / 2) return;
    this.#full = false;
    if (!this.#closing) this.#handler?.drained();
  }

  #message(data: unknown, isBinary: boolean): void {
    if (this.#closing) return;
    if (!isBinary || !(data instanceof Uint8Array)) {
      const error = new HashikeError('HSK-1102', 'a text message came where binary ones are spoken');
      this.#refuse(error, CloseCode.UNSUPPORTED_DATA);
      return;
    }
    try {
      this.#delimiter.feed(data);
    } catch (error) {
      if (!(error instanceof HashikeError)) throw error;
      this.#refuse(error, error.code === 'HSK-1103' ? CloseCode.TOO_BIG : CloseCode.PROTOCOL_ERROR);
      return;
    }
    if (this.#delimiter.pendingBytes > 0) {
      const error = new HashikeError('HSK-1101', 'a WebSocket message ends within a message');
      this.#refuse(error, CloseCode.PROTOCOL_ERROR);
    }
  }

  /** The stream is lost: says so and closes (clauses 3.5.3, 5.7.2 and 9). */
  #refuse(error: HashikeError, code: number): void {
    this.#cause ??= error;
    this.send(farewell(error));
    this.#close(code);
  }

  #closed(code: number): void {
    if (!this.#closing && !cleanCodes.has(code)) {
      const detail = `the connection broke (WebSocket code ${code})`;
      this.#cause ??= new HashikeError('HSK-2101', detail, { peer: this.peer, code });
    }
    this.#closing = true;
    const handler = this.#handler;
    this.#handler = undefined;
    handler?.closed(this.#cause);
  }
}

/** The library names what breaks RFC 6455; everything else is the network. */
function failure(error: Error, peer: string): HashikeError {
  const code = 'code' in error ? String(error.code) : '';
  if (!code.startsWith('WS_ERR_'))
    return new HashikeError('HSK-2101', 'the connection broke', { peer }, error);
  return code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH'
    ? new HashikeError('HSK-1103', 'a WebSocket message is longer than the limit', {}, error)
    : new HashikeError('HSK-1102', `the WebSocket protocol was broken: ${error.message}`, {}, error);
}
