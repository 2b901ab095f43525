import { type Clock, systemClock } from '../base/clock.ts';
import { type Log, silentLog } from '../base/log.ts';
import { type Random, systemRandom } from '../base/random.ts';
import type { Link } from '../links/link.ts';
import type { ClientTls } from '../links/open-stream.ts';
import type { PublishBody } from '../wire/message.ts';
import { DEFAULT_KEEP_ALIVE_MS, DEFAULT_RESUME_WINDOW_MS, DEFAULT_TCP_PORT } from '../wire/numbers.ts';
import { dialerOf } from './dial.ts';

export interface ClientOptions {
  /** `hashike://host[:port]` (TCP), `hashikes://` (TLS), `ws://` or `wss://` (WebSocket, at /tlv unless it has a path); or give `host` and `port` for TCP. */
  readonly url?: string;
  /** Default: 127.0.0.1. */
  readonly host?: string;
  /** Default: 7858. */
  readonly port?: number;
  /** Not looked at where the server knows the client certificate of `tls`; it may be anything then, but not empty. */
  readonly token: string | Uint8Array;
  /** Of `hashikes://` and `wss://`: who vouches for the server, and the client certificate. */
  readonly tls?: ClientTls;
  /** Needed where several clients share the token. */
  readonly clientName?: string;
  /** Published by the server when this client goes away without `close`. */
  readonly will?: PublishBody;
  readonly keepAliveMs?: number;
  readonly resumeWindowMs?: number;
  /** For one attempt to connect. */
  readonly timeoutMs?: number;
  /** Bytes of publishes that wait for their ACK; more are refused with HSK-3105. */
  readonly sendQueueBytes?: number;
  /** Deliveries that wait for their reader; then the server is held back. */
  readonly receiveQueue?: number;
  /** Sends and receives best effort by UDP where the connection is TCP and the server offers it; falls back to TCP by itself. Default: true. */
  readonly udp?: boolean;
  /** Between probes of the UDP path, ms; default and most: 5000 (clause 8.4.1). */
  readonly udpProbeMs?: number;
  readonly clock?: Clock;
  readonly random?: Random;
  readonly log?: Log;
  /** Makes the connection; default: as `url` says. Rejects with HSK-2103 … HSK-2106. */
  readonly dial?: () => Promise<Link>;
}

export type Settings = Required<
  Omit<ClientOptions, 'url' | 'host' | 'port' | 'tls' | 'clientName' | 'will' | 'token'>
> &
  Pick<ClientOptions, 'clientName' | 'will'> & { readonly token: Uint8Array };

/** The options with their defaults. Throws HSK-3106 when the URL is none. */
export function settingsOf(options: ClientOptions): Settings {
  const { url = addressOf(options), tls } = options;
  const clock = options.clock ?? systemClock;
  const timeoutMs = options.timeoutMs ?? 10_000;
  return {
    keepAliveMs: DEFAULT_KEEP_ALIVE_MS,
    resumeWindowMs: DEFAULT_RESUME_WINDOW_MS,
    sendQueueBytes: 1_048_576,
    receiveQueue: 256,
    udp: true,
    udpProbeMs: 5000,
    random: systemRandom,
    log: silentLog,
    dial: options.dial ?? dialerOf({ url, tls, timeoutMs, clock }),
    ...options,
    clock,
    timeoutMs,
    token: typeof options.token === 'string' ? new TextEncoder().encode(options.token) : options.token,
  };
}

function addressOf({ host = '127.0.0.1', port = DEFAULT_TCP_PORT }: ClientOptions): string {
  return `hashike://${host.includes(':') ? `[${host}]` : host}:${port}`;
}
