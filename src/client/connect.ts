import type { ClientTls } from '../links/open-stream.ts';
import { DEFAULT_TCP_PORT } from '../wire/numbers.ts';
import { HashikeClient } from './client.ts';
import { dialerOf } from './dial.ts';
import { type CommonOptions, type Settings, settingsOn } from './options.ts';

export interface ClientOptions extends CommonOptions {
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
  /** Sends and receives best effort by UDP where the connection is TCP and the server offers it; falls back to TCP by itself. Default: true. */
  readonly udp?: boolean;
  /** Between probes of the UDP path, ms; default and most: 5000 (clause 8.4.1). */
  readonly udpProbeMs?: number;
}

/**
 * Connects to a Hashike server, from Node. Rejects with HSK-2103 when there is no connection, HSK-3101 when the token is wrong, HSK-3102 when the server refuses, and HSK-3106 when
 * the address is malformed. From then on the client reconnects by itself.
 */
export async function connect(options: ClientOptions): Promise<HashikeClient> {
  return HashikeClient.open(settingsOf(options));
}

/** The options with their defaults. Throws HSK-3106 when the URL is none. */
export function settingsOf({
  url,
  host,
  port,
  tls,
  udp = true,
  udpProbeMs = 5000,
  ...options
}: ClientOptions): Settings {
  return settingsOn(
    {
      dialer: ({ clock, timeoutMs }) =>
        dialerOf({ url: url ?? addressOf(host, port), tls, clock, timeoutMs }),
      openUdp: ({ clock, random, log }) =>
        udp
          ? async (serverHost, effects) => {
              const { UdpSide } = await import('./udp-side.ts');
              return new UdpSide({ ...effects, host: serverHost, probeMs: udpProbeMs, clock, random, log });
            }
          : undefined,
    },
    options,
  );
}

function addressOf(host = '127.0.0.1', port = DEFAULT_TCP_PORT): string {
  return `hashike://${host.includes(':') ? `[${host}]` : host}:${port}`;
}
