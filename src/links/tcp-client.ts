import type { Link } from './link.ts';
import { openStream, type OpenStreamOptions } from './open-stream.ts';
import { sharedByLinks, TcpLink, type TcpLinkOptions } from './tcp-link.ts';

export interface ConnectTcpOptions extends TcpLinkOptions, OpenStreamOptions {}

/** A link to a server, inside TLS where `tls` is given. Rejects with HSK-2103, HSK-2104 or HSK-2105: see `openStream`. */
export function connectTcp(options: ConnectTcpOptions): Promise<Link> {
  const name = options.tls ? 'tls' : 'tcp';
  return openStream(options, (socket) => new TcpLink(socket, { name }, options, sharedByLinks()));
}
