import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { WebSocketServer } from 'ws';
import type { Timer } from '../base/clock.ts';
import type { Counters } from '../base/counters.ts';
import { DropReport } from '../base/drop-report.ts';
import { createServer } from '../base/node-http.ts';
import { type Accepted, peerOf } from './accepted.ts';
import type { Link, LinkSource } from './link.ts';
import { Listener, type ListenerOptions } from './listener.ts';
import { WebSocketLink, type WebSocketLinkOptions, webSocketOptions } from './websocket-link.ts';
import { WEBSOCKET_PATH, WEBSOCKET_PROTOCOL } from './websocket-protocol.ts';
import { type HttpRefusal, pathOf, refusalOf } from './websocket-request.ts';

export interface WebSocketSourceOptions extends ListenerOptions, WebSocketLinkOptions {
  /** Origins whose pages may connect, beside those of the own host; `*`: all. */
  readonly origins: readonly string[];
  /** Time a connection has to become a WebSocket, after its TLS handshake. */
  readonly handshakeMs: number;
  /** Connections at once that have not become one; further ones are dropped. */
  readonly unfinishedHandshakes: number;
  readonly counters: Counters;
}

/** A connection that is no WebSocket yet. */
interface Unfinished extends Accepted {
  readonly timer: Timer;
  /** What is counted if it never becomes one. */
  reason: HttpRefusal['reason'] | 'no-websocket' | 'timeout';
}

/** Listens on one address for WebSockets (clause 3.5), with TLS or without, and makes a link of each. */
export class WebSocketSource implements LinkSource {
  readonly #options: WebSocketSourceOptions;
  readonly #listener: Listener;
  readonly #refusals: DropReport;
  readonly #unfinished = new Map<Duplex, Unfinished>();
  readonly #links = new Set<WebSocketLink>();

  constructor(options: WebSocketSourceOptions) {
    this.#options = options;
    this.#listener = new Listener(options);
    const text = 'connections ended before they were WebSockets';
    this.#refusals = new DropReport({ ...options, place: 'websocket', text });
  }

  get address(): Listener['address'] {
    return this.#listener.address;
  }

  /** Resolves when it listens. Rejects with HSK-2102 when the address can't be used, and with HSK-2104 when the certificate can't. */
  async open(onLink: (link: Link) => void): Promise<void> {
    const { WebSocketServer } = await import('ws');
    const upgrader = new WebSocketServer({
      ...webSocketOptions,
      noServer: true,
      clientTracking: false,
      handleProtocols: () => WEBSOCKET_PROTOCOL,
    });
    // It does not listen itself: connections are given to it.
    const http = createServer((request, response) => this.#answer(request, response));
    http.on('upgrade', (request, socket, head) => this.#upgrade(upgrader, request, socket, head, onLink));
    http.on('clientError', (_error, socket) => refuse(socket, 400, 'this is no request'));
    await this.#listener.open((accepted) => {
      if (this.#begin(accepted)) http.emit('connection', accepted.socket);
    });
  }

  /** Stops listening, closes the links that are still open and resolves when all are gone. */
  close(): Promise<void> {
    return this.#listener.close(() => {
      for (const socket of this.#unfinished.keys()) socket.destroy();
      for (const link of this.#links) link.close();
    });
  }

  /** Takes a connection in, unless too many are here that are no WebSockets. */
  #begin(accepted: Accepted): boolean {
    const { clock, handshakeMs, unfinishedHandshakes } = this.#options;
    const { socket } = accepted;
    if (this.#unfinished.size >= unfinishedHandshakes) {
      this.#refusals.add('too-many-handshakes', { peer: peerOf(socket) });
      socket.destroy();
      return false;
    }
    const peer = peerOf(socket);
    const timer = clock.after(handshakeMs, () => {
      unfinished.reason = 'timeout';
      socket.destroy();
    });
    const unfinished: Unfinished = { ...accepted, timer, reason: 'no-websocket' };
    this.#unfinished.set(socket, unfinished);
    // Between HTTP and WebSocket nobody listens to it.
    socket.on('error', () => undefined);
    socket.once('close', () => {
      if (this.#finish(socket)) this.#refusals.add(unfinished.reason, { peer });
    });
    return true;
  }

  #finish(socket: Duplex): Unfinished | undefined {
    const unfinished = this.#unfinished.get(socket);
    unfinished?.timer.cancel();
    this.#unfinished.delete(socket);
    return unfinished;
  }

  /** A request that does not ask for an upgrade. */
  #answer({ url = '' }: IncomingMessage, response: ServerResponse): void {
    const here = pathOf(url) === WEBSOCKET_PATH;
    response.writeHead(here ? 426 : 404, { connection: 'close', ...(here && { upgrade: 'websocket' }) });
    response.end(here ? 'this is a WebSocket\n' : `hashike is at ${WEBSOCKET_PATH}\n`);
  }

  #upgrade(
    upgrader: WebSocketServer,
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    onLink: (link: Link) => void,
  ): void {
    const refusal = refusalOf(request, this.#options.origins);
    if (refusal) {
      const unfinished = this.#unfinished.get(socket);
      if (unfinished) unfinished.reason = refusal.reason;
      refuse(socket, refusal.status, refusal.text);
      return;
    }
    upgrader.handleUpgrade(request, socket, head, (webSocket) => {
      const accepted = this.#finish(socket);
      if (!accepted) return;
      const identity = { peer: peerOf(accepted.socket), certificate: accepted.certificate };
      const link = new WebSocketLink(webSocket, identity, this.#options);
      this.#links.add(link);
      webSocket.once('close', () => this.#links.delete(link));
      onLink(link);
    });
  }
}

const statusTexts = { 400: 'Bad Request', 403: 'Forbidden', 404: 'Not Found' } as const;

/** Answers a request on a connection that HTTP has let go of, and ends that. */
function refuse(socket: Duplex, status: keyof typeof statusTexts, text: string): void {
  if (!socket.writable) return;
  const body = `${text}\n`;
  const head = [
    `HTTP/1.1 ${status} ${statusTexts[status]}`,
    'Connection: close',
    'Content-Type: text/plain; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(body)}`,
  ];
  socket.once('finish', () => socket.destroy());
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
}
