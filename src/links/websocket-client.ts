import { HashikeError } from '../base/errors.ts';
import type { Link } from './link.ts';
import { openStream, type OpenStreamOptions } from './open-stream.ts';
import { WebSocketLink, type WebSocketLinkOptions, webSocketOptions } from './websocket-link.ts';
import { WEBSOCKET_PROTOCOL } from './websocket-protocol.ts';

export interface ConnectWebSocketOptions extends OpenStreamOptions, WebSocketLinkOptions {
  /** `ws://` or `wss://`, as the request and a proxy are to see it. */
  readonly url: string;
}

/**
 * A link to a server over WebSocket. Rejects with HSK-2103, HSK-2104 or HSK-2105 when there is no connection (see `openStream`), and with HSK-2106 when what
 * answers is no such server.
 */
export async function connectWebSocket(options: ConnectWebSocketOptions): Promise<Link> {
  const { url, timeoutMs, clock } = options;
  const { WebSocket } = await import('ws');
  const socket = await openStream(options, (stream) => {
    // Whoever serves the connection next has not heard of it yet.
    stream.on('error', () => undefined);
    return stream;
  });
  return new Promise((resolve, reject) => {
    const webSocket = new WebSocket(url, [WEBSOCKET_PROTOCOL], {
      ...webSocketOptions,
      createConnection: () => socket,
    });
    const timer = clock.after(timeoutMs, () => webSocket.terminate());
    webSocket.once('error', (error) => {
      timer.cancel();
      socket.destroy();
      reject(new HashikeError('HSK-2106', `${url} is no Hashike server: ${error.message}`, { url }, error));
    });
    webSocket.once('open', () => {
      timer.cancel();
      webSocket.removeAllListeners('error');
      resolve(new WebSocketLink(webSocket, { peer: url }, options));
    });
  });
}
