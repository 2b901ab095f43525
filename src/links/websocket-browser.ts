import type { Clock, Timer } from '../base/clock.ts';
import { concat } from '../base/bytes.ts';
import { HashikeError } from '../base/errors.ts';
import { LongFormDelimiter } from '../wire/long-form-delimiter.ts';
import { CLOSE_TIMEOUT_MS } from './closing.ts';
import type { Link, LinkCapabilities, LinkHandler } from './link.ts';
import {
  checkLength,
  cleanCodes,
  CloseCode,
  HIGH_WATER_BYTES,
  MAX_WEBSOCKET_BYTES,
  WEBSOCKET_PROTOCOL,
} from './websocket-protocol.ts';

/** How often a full queue is looked at: a browser does not tell when it has sent something. */
const DRAIN_CHECK_MS = 10;

export interface ConnectBrowserOptions {
  /** `ws://` or `wss://`. */
  readonly url: string;
  readonly timeoutMs: number;
  readonly clock: Clock;
}

/** A link to a server by the global `WebSocket`. Rejects with HSK-2103 when there is none, whatever the reason: a browser does not tell it to a page. */
export function connectBrowserWebSocket({ url, timeoutMs, clock }: ConnectBrowserOptions): Promise<Link> {
  return new Promise((resolve, reject) => {
    const fail = (cause?: unknown): void =>
      reject(new HashikeError('HSK-2103', `no WebSocket could be opened to ${url}`, { url }, cause));
    let socket: WebSocket;
    try {
      socket = new WebSocket(url, WEBSOCKET_PROTOCOL);
    } catch (error) {
      // A page that came by https may not dial ws://.
      fail(error);
      return;
    }
    socket.binaryType = 'arraybuffer';
    const timer = clock.after(timeoutMs, () => socket.close());
    const opened = new AbortController();
    const once = { signal: opened.signal };
    socket.addEventListener(
      'open',
      () => {
        timer.cancel();
        opened.abort();
        resolve(new BrowserWebSocketLink(socket, clock));
      },
      once,
    );
    socket.addEventListener(
      'close',
      () => {
        timer.cancel();
        fail();
      },
      once,
    );
  });
}

/** A browser's WebSocket that is open, in long-form messages (clause 3.5). What is sent in one breath leaves in one WebSocket message. */
class BrowserWebSocketLink implements Link {
  readonly name = 'websocket';
  readonly peer: string;
  readonly capabilities: LinkCapabilities = { reliable: true, shortForm: false, mtu: MAX_WEBSOCKET_BYTES };
  readonly #socket: WebSocket;
  readonly #clock: Clock;
  readonly #delimiter = new LongFormDelimiter({ onFrame: (frame) => this.#handler?.frame(frame) });
  #handler: LinkHandler | undefined;
  #cause: HashikeError | undefined;
  /** What the next WebSocket message will hold. */
  #batch: Uint8Array[] = [];
  #batchBytes = 0;
  #full = false;
  #closing = false;
  #closeTimer: Timer | undefined;

  constructor(socket: WebSocket, clock: Clock) {
    this.#socket = socket;
    this.#clock = clock;
    this.peer = socket.url;
    socket.addEventListener('close', ({ code }) => this.#closed(code));
  }

  get queuedBytes(): number {
    return this.#batchBytes + this.#socket.bufferedAmount;
  }

  start(handler: LinkHandler): void {
    const socket = this.#socket;
    this.#handler = handler;
    socket.addEventListener('message', ({ data }) => this.#message(data));
    // A connection can break before anybody looks at it.
    if (socket.readyState === WebSocket.CLOSED) queueMicrotask(() => this.#closed(CloseCode.NO_STATUS));
  }

  send(frame: Uint8Array): boolean {
    checkLength(frame, this.capabilities.mtu);
    if (this.#closing || this.#socket.readyState !== WebSocket.OPEN) return true;
    if (this.#batchBytes + frame.length > MAX_WEBSOCKET_BYTES) this.#flush();
    if (this.#batch.length === 0) queueMicrotask(() => this.#flush());
    this.#batch.push(frame);
    this.#batchBytes += frame.length;
    if (!this.#full && this.queuedBytes > HIGH_WATER_BYTES) {
      this.#full = true;
      this.#awaitRoom();
    }
    return !this.#full;
  }

  /** A browser reads on. What comes is bounded all the same: by the server's send queue, since nothing is acknowledged meanwhile. */
  pause(): void {}

  resume(): void {}

  close(): void {
    if (this.#closing) return;
    this.#flush();
    this.#closing = true;
    this.#socket.close(CloseCode.NORMAL);
    // A peer that does not answer holds nobody up.
    this.#closeTimer = this.#clock.after(CLOSE_TIMEOUT_MS, () => this.#closed(CloseCode.NORMAL));
  }

  #flush(): void {
    if (this.#batch.length === 0) return;
    const bytes = concat(this.#batch);
    this.#batch = [];
    this.#batchBytes = 0;
    this.#socket.send(bytes);
  }

  #awaitRoom(): void {
    this.#clock.after(DRAIN_CHECK_MS, () => {
      if (this.#closing) return;
      if (this.queuedBytes > HIGH_WATER_BYTES / 2) {
        this.#awaitRoom();
        return;
      }
      this.#full = false;
      this.#handler?.drained();
    });
  }

  #message(data: unknown): void {
    if (this.#closing) return;
    try {
      if (!(data instanceof ArrayBuffer)) {
        throw new HashikeError('HSK-1102', 'a text message came where binary ones are spoken');
      }
      this.#delimiter.feed(new Uint8Array(data));
      if (this.#delimiter.pendingBytes > 0) {
        throw new HashikeError('HSK-1101', 'a WebSocket message ends within a message');
      }
    } catch (error) {
      if (!(error instanceof HashikeError)) throw error;
      this.#cause ??= error;
      this.close();
    }
  }

  #closed(code: number): void {
    if (!this.#closing && !cleanCodes.has(code)) {
      const detail = `the connection broke (WebSocket code ${code})`;
      this.#cause ??= new HashikeError('HSK-2101', detail, { peer: this.peer, code });
    }
    this.#closing = true;
    this.#closeTimer?.cancel();
    const handler = this.#handler;
    this.#handler = undefined;
    handler?.closed(this.#cause);
  }
}
