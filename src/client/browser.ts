/** `hashike/client` for browsers: nothing that it imports needs Node. */
import { HashikeError } from '../base/errors.ts';
import { connectBrowserWebSocket } from '../links/websocket-browser.ts';
import { WEBSOCKET_PATH } from '../links/websocket-protocol.ts';
import { HashikeClient } from './client.ts';
import { type CommonOptions, settingsOn } from './options.ts';

export * from './common.ts';

export interface ClientOptions extends CommonOptions {
  /** `ws://host[:port]` or `wss://host[:port]`, at /tlv unless it has a path. */
  readonly url: string;
}

/**
 * Connects to a Hashike server, from a browser. Rejects with HSK-2103 when there is no connection, HSK-3101 when the token is wrong, HSK-3102 when the server refuses, and HSK-3106
 * when the address is malformed or of a kind that browsers can't dial. From then on the client reconnects by itself.
 */
export async function connect(options: ClientOptions): Promise<HashikeClient> {
  return HashikeClient.open(
    settingsOn(
      {
        dialer: (surroundings) => {
          const url = webSocketAddress(options.url);
          return () => connectBrowserWebSocket({ url, ...surroundings });
        },
      },
      options,
    ),
  );
}

/** Throws HSK-3106. */
function webSocketAddress(address: string): string {
  const url = URL.parse(address);
  if (!url || !/^wss?:$/.test(url.protocol)) {
    const text = 'a browser connects to ws:// and wss:// only, and needs a whole address';
    throw new HashikeError('HSK-3106', text, { url: address });
  }
  if (url.pathname === '/') url.pathname = WEBSOCKET_PATH;
  // A WebSocket takes no fragment.
  url.hash = '';
  return url.href;
}
