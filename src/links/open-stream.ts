import { connect, isIP, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import type { Clock } from '../base/clock.ts';
import { describeError, HashikeError } from '../base/errors.ts';

/** The client's side of TLS; each is the text of a PEM file. */
export interface ClientTls {
  /** Authorities that may vouch for the server; default: those of the system. */
  readonly ca?: string | undefined;
  /** Client certificate and its key. */
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
}

export interface OpenStreamOptions {
  readonly host: string;
  readonly port: number;
  readonly timeoutMs: number;
  readonly clock: Clock;
  /** Given: inside TLS. */
  readonly tls?: ClientTls | undefined;
}

/**
 * Connects to a server, and gives what `made` makes of the connection in the moment in which it stands.
 * Rejects with HSK-2103 when there is no answer in time or it refuses, with HSK-2104 when the files of `tls` are no good, and with HSK-2105 when the
 * server's certificate is not to be trusted.
 */
export function openStream<T>(options: OpenStreamOptions, made: (socket: Socket) => T): Promise<T> {
  const { host, port, timeoutMs, clock, tls } = options;
  const where = { host, port };
  return new Promise((resolve, reject) => {
    const socket = tls ? openTls(host, port, tls) : connect(where);
    const fail = (error: HashikeError): void => {
      timer.cancel();
      socket.destroy();
      reject(error);
    };
    const timer = clock.after(timeoutMs, () => fail(unreachable(where, `no answer within ${timeoutMs} ms`)));
    const failed = (error: Error): void => fail(failure(where, socket, error));
    socket.once('error', failed);
    socket.once(tls ? 'secureConnect' : 'connect', () => {
      timer.cancel();
      socket.off('error', failed);
      resolve(made(socket));
    });
  });
}

function openTls(host: string, port: number, { ca, cert, key }: ClientTls): TLSSocket {
  const files = { ...(ca !== undefined && { ca }), ...(cert !== undefined && { cert, key }) };
  try {
    // An address has no name to ask for.
    const name = isIP(host) === 0 ? { servername: host } : {};
    return connectTls({ host, port, minVersion: 'TLSv1.2', ...name, ...files });
  } catch (error) {
    throw new HashikeError(
      'HSK-2104',
      `authority, certificate or key can't be used: ${describeError(error)}`,
      {},
      error,
    );
  }
}

type Where = Readonly<Pick<OpenStreamOptions, 'host' | 'port'>>;

function failure(where: Where, socket: Socket, error: Error): HashikeError {
  // Node says so when it refuses the certificate, and of no other failure.
  if (!('authorizationError' in socket) || !socket.authorizationError)
    return unreachable(where, error.message, error);
  const text = `the certificate of ${where.host} port ${where.port} is not trusted: ${error.message}`;
  return new HashikeError('HSK-2105', text, where, error);
}

function unreachable(where: Where, detail: string, cause?: unknown): HashikeError {
  return new HashikeError(
    'HSK-2103',
    `can't connect to ${where.host} port ${where.port}: ${detail}`,
    where,
    cause,
  );
}
