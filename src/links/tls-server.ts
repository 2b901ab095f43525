import type { Socket } from 'node:net';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import type { Clock, Timer } from '../base/clock.ts';
import type { Counters } from '../base/counters.ts';
import { DropReport } from '../base/drop-report.ts';
import { HashikeError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { type Accepted, peerOf } from './accepted.ts';
import {
  type CertificatePaths,
  type Credentials,
  lookAtCertificates,
  readCertificates,
} from './certificate-files.ts';

export interface TlsServerOptions extends CertificatePaths {
  /** Refuses clients without a certificate of `clientCa`; else they may come without one. */
  readonly requireClientCert: boolean;
  /** How often to look whether the files have changed. */
  readonly reloadCheckMs: number;
  /** Time a connection has to finish its TLS handshake. */
  readonly handshakeMs: number;
  /** Unfinished TLS handshakes at once; further connections are dropped. */
  readonly unfinishedHandshakes: number;
  /** Place of the drops: the name of the link. */
  readonly name: string;
  readonly clock: Clock;
  readonly counters: Counters;
  readonly log: Log;
}

/** How long before its end a certificate that nobody renews is warned of. */
const EXPIRY_WARNING_MS = 14 * 86_400_000;

/** The server's side of TLS (clause 3.4), with certificates that are renewed while connections live on. */
export class TlsServer {
  readonly #options: TlsServerOptions;
  readonly #refusals: DropReport;
  #server: Server | undefined;
  #unfinished = 0;
  #expires: string | undefined;
  #warnedOfExpiry = false;
  /** State of the files when they were read last, whether or not they could be used. */
  #known = '';
  /** State of the files at the last look. */
  #seen = '';
  #timer: Timer | undefined;

  constructor(options: TlsServerOptions) {
    this.#options = options;
    this.#refusals = new DropReport({
      ...options,
      place: options.name,
      text: 'connections ended in the TLS handshake',
    });
  }

  /** When the certificate in use expires, in ISO 8601; undefined before `open`. */
  get expires(): string | undefined {
    return this.#expires;
  }

  /** Reads the certificates, so that `take` may be called. Rejects with HSK-2104 when they can't be used. */
  async open(onSecure: (accepted: Accepted) => void): Promise<void> {
    const { clientCa, requireClientCert, handshakeMs } = this.#options;
    const credentials = await this.#read();
    const server = createServer({
      ...secureContextOf(credentials),
      handshakeTimeout: handshakeMs,
      requestCert: clientCa !== undefined,
      rejectUnauthorized: requireClientCert,
    });
    server.on('secureConnection', (socket) => this.#secure(socket, onSecure));
    server.on('tlsClientError', (error, socket) => {
      this.#unfinished -= 1;
      this.#refusals.add(reasonOf(error, socket), { peer: peerOf(socket), detail: error.message });
      // One that took too long is still open.
      socket.destroy();
    });
    this.#server = server;
    this.#warnOfExpiry();
    this.#lookLater();
  }

  /** Begins the handshake on a connection. */
  take(socket: Socket): void {
    if (this.#unfinished >= this.#options.unfinishedHandshakes) {
      this.#refusals.add('too-many-handshakes', { peer: peerOf(socket) });
      socket.destroy();
      return;
    }
    this.#unfinished += 1;
    // From here each connection ends in one `secureConnection` or one `tlsClientError`.
    this.#server?.emit('connection', socket);
  }

  /** Reads the files again, for connections to come. What can't be used is logged (HSK-2104), and what was in use stays. */
  async reload(): Promise<void> {
    const { log, name } = this.#options;
    try {
      const credentials = await this.#read();
      this.#server?.setSecureContext(secureContextOf(credentials));
      log.info({ link: name, expires: credentials.expires }, 'took up the certificate anew');
    } catch (error) {
      if (!(error instanceof HashikeError)) throw error;
      log.error(
        { err: error, code: error.code, cure: error.cure, link: name, expires: this.#expires },
        'the new certificate is not used, the old one stays',
      );
    }
  }

  /** Looks at the files no more. Connections live on. */
  close(): void {
    this.#timer?.cancel();
    this.#server = undefined;
  }

  async #read(): Promise<Credentials> {
    this.#known = await lookAtCertificates(this.#options);
    this.#seen = this.#known;
    const credentials = await readCertificates(this.#options);
    this.#expires = credentials.expires;
    this.#warnedOfExpiry = false;
    return credentials;
  }

  #lookLater(): void {
    this.#timer = this.#options.clock.after(this.#options.reloadCheckMs, () => void this.#look());
  }

  /** Certificate and key are written one after the other: a change counts when two looks have found the same. */
  async #look(): Promise<void> {
    const now = await lookAtCertificates(this.#options);
    const settled = now === this.#seen;
    this.#seen = now;
    if (settled && now !== this.#known) await this.reload();
    this.#warnOfExpiry();
    if (this.#server) this.#lookLater();
  }

  #warnOfExpiry(): void {
    const { clock, log, name } = this.#options;
    const left = Date.parse(this.#expires ?? '') - clock.wall();
    if (this.#warnedOfExpiry || left > EXPIRY_WARNING_MS) return;
    this.#warnedOfExpiry = true;
    const text = left > 0 ? 'the certificate expires soon' : 'the certificate has expired';
    log.warn({ link: name, expires: this.#expires }, text);
  }

  #secure(socket: TLSSocket, onSecure: (accepted: Accepted) => void): void {
    this.#unfinished -= 1;
    const given = socket.getPeerX509Certificate();
    if (given && !socket.authorized) {
      this.#refusals.add('client-certificate', {
        peer: peerOf(socket),
        detail: String(socket.authorizationError),
      });
      socket.destroy();
      return;
    }
    const name: unknown = given?.toLegacyObject().subject.CN;
    onSecure({ socket, certificate: typeof name === 'string' ? name : undefined });
  }
}

function secureContextOf({ cert, key, ca }: Credentials): object {
  return { cert, key, ...(ca && { ca }), minVersion: 'TLSv1.2' };
}

/** Why a handshake failed, from a small fixed set. */
function reasonOf(error: Error, socket: TLSSocket): string {
  const code = 'code' in error ? String(error.code) : '';
  if (code === 'ERR_TLS_HANDSHAKE_TIMEOUT') return 'timeout';
  if (code === 'ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE') return 'no-client-certificate';
  // Node says so when it refuses a certificate, and of no other failure.
  if (socket.authorizationError) return 'client-certificate';
  if (code.includes('ALERT')) return 'refused-by-client';
  if (/HTTP_REQUEST|WRONG_VERSION_NUMBER|PACKET_LENGTH|RECORD/.test(code)) return 'no-tls';
  return code.startsWith('ERR_SSL_') ? 'no-agreement' : 'broken-off';
}
