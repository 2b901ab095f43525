import { chmod, mkdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describeError, HashikeError } from '../base/errors.ts';
import { createServer, request } from '../base/node-http.ts';
import type { GatewayStatus } from './status.ts';

/** The socket of the gateway whose runtime directory this is. */
export function statusSocketPath(runtimeDirectory: string): string {
  return join(runtimeDirectory, 'status.sock');
}

/**
 * Answers `GET /status` on a Unix socket that only the gateway's user and root can open: status needs no port and no password.
 * @throws HSK-4201
 */
export async function openStatusServer(
  path: string,
  status: () => GatewayStatus,
): Promise<{ close(): Promise<void> }> {
  const server = createServer((incoming, outgoing) => {
    if (incoming.url !== '/status' || incoming.method !== 'GET') {
      outgoing.writeHead(404).end();
      return;
    }
    outgoing.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(status()));
  });
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o750 });
    // A socket file outlives a killed process; the spool's lock has already proved that no other gateway runs here.
    await rm(path, { force: true });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(path, () => resolve());
    });
    await chmod(path, 0o600);
  } catch (error) {
    server.close();
    throw new HashikeError(
      'HSK-4201',
      `the status socket ${path} cannot be opened: ${describeError(error)}`,
      { path },
      error,
    );
  }
  return {
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/**
 * Asks a running gateway for its status.
 * @throws HSK-4202 when none answers within `timeoutMs`.
 */
export function readStatus(path: string, timeoutMs = 5000): Promise<GatewayStatus> {
  return new Promise((resolve, reject) => {
    const fail = (error: unknown): void =>
      reject(
        new HashikeError(
          'HSK-4202',
          `no gateway answers on ${path}: ${describeError(error)}`,
          { path },
          error,
        ),
      );
    const asked = request({ socketPath: path, path: '/status', timeout: timeoutMs }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', fail);
      response.on('end', () => {
        try {
          resolve(JSON.parse(Buffer.concat(chunks).toString('utf8')) as GatewayStatus);
        } catch (error) {
          fail(error);
        }
      });
    });
    asked.on('timeout', () => asked.destroy(new Error(`no answer within ${timeoutMs} ms`)));
    asked.on('error', fail);
    asked.end();
  });
}
