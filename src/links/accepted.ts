import type { Socket } from 'node:net';

/** A connection that somebody has made, past its TLS handshake where there is one. */
export interface Accepted {
  readonly socket: Socket;
  /** Common name of the client certificate, where one was given and verified. */
  readonly certificate: string | undefined;
}

/** Address and port of the other end, for people. */
export function peerOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress ?? 'unknown'}:${remotePort ?? 0}`;
}
