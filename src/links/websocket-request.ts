import type { IncomingMessage } from 'node:http';
import { WEBSOCKET_PATH, WEBSOCKET_PROTOCOL } from './websocket-protocol.ts';

/** An answer of HTTP that is no success. */
export interface HttpRefusal {
  readonly status: 400 | 403 | 404;
  /** For counters. */
  readonly reason: 'wrong-path' | 'origin' | 'sub-protocol';
  readonly text: string;
}

/** What is wrong with a request to upgrade (clause 3.5.1). `origins` are those that are allowed beside the own host. */
export function refusalOf(request: IncomingMessage, origins: readonly string[]): HttpRefusal | undefined {
  const { url = '', headers } = request;
  if (pathOf(url) !== WEBSOCKET_PATH) {
    return { status: 404, reason: 'wrong-path', text: `hashike is at ${WEBSOCKET_PATH}` };
  }
  const { origin, host } = headers;
  if (origin !== undefined && !isAllowed(origin, host, origins)) {
    return {
      status: 403,
      reason: 'origin',
      text: 'pages of this origin are not allowed (listen.websocket.origins)',
    };
  }
  const offered = (headers['sec-websocket-protocol'] ?? '').split(',').map((name) => name.trim());
  if (!offered.includes(WEBSOCKET_PROTOCOL)) {
    return {
      status: 400,
      reason: 'sub-protocol',
      text: `the sub-protocol ${WEBSOCKET_PROTOCOL} is not offered`,
    };
  }
  return undefined;
}

export function pathOf(url: string): string {
  return url.split('?', 1)[0] ?? '';
}

/** Only browsers send Origin, and no page can forge it. */
function isAllowed(origin: string, host: string | undefined, origins: readonly string[]): boolean {
  return origins.includes('*') || origins.includes(origin) || URL.parse(origin)?.host === host;
}
