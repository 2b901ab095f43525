import type { Clock } from '../base/clock.ts';
import { HashikeError } from '../base/errors.ts';
import type { Link } from '../links/link.ts';
import type { ClientTls } from '../links/open-stream.ts';
import { connectTcp } from '../links/tcp-client.ts';
import { WEBSOCKET_PATH } from '../links/websocket-protocol.ts';
import { DEFAULT_TCP_PORT, DEFAULT_TLS_PORT, MAX_PAYLOAD_BYTES } from '../wire/numbers.ts';

/** How each scheme connects. */
const schemes: Readonly<
  Record<string, { readonly port: number; readonly secure: boolean; readonly webSocket: boolean }>
> = {
  'hashike:': { port: DEFAULT_TCP_PORT, secure: false, webSocket: false },
  'hashikes:': { port: DEFAULT_TLS_PORT, secure: true, webSocket: false },
  'ws:': { port: 80, secure: false, webSocket: true },
  'wss:': { port: 443, secure: true, webSocket: true },
};

export interface DialOptions {
  readonly url: string;
  /** For `hashikes://` and `wss://`. */
  readonly tls?: ClientTls | undefined;
  readonly timeoutMs: number;
  readonly clock: Clock;
}

/**
 * How to connect to an address, over TCP, TLS or WebSocket; for Node only. What it gives rejects with HSK-2103 … HSK-2106.
 * Throws HSK-3106 when the address is none.
 */
export function dialerOf(options: DialOptions): () => Promise<Link> {
  const url = URL.parse(options.url);
  const scheme = schemes[url?.protocol ?? ''];
  if (!url || !scheme || url.hostname === '') {
    const text = 'the address is not of the form hashike://host[:port], hashikes://, ws:// or wss://';
    throw new HashikeError('HSK-3106', text, { url: options.url });
  }
  const { timeoutMs, clock, tls = {} } = options;
  const common = {
    // The brackets around an IPv6 address belong to the URL.
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: url.port === '' ? scheme.port : Number(url.port),
    tls: scheme.secure ? tls : undefined,
    messageBytes: MAX_PAYLOAD_BYTES,
    timeoutMs,
    clock,
  };
  if (!scheme.webSocket) return () => connectTcp(common);
  if (url.pathname === '/') url.pathname = WEBSOCKET_PATH;
  return async () => {
    const { connectWebSocket } = await import('../links/websocket-client.ts');
    return connectWebSocket({ ...common, url: url.href });
  };
}
