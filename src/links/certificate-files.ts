import { X509Certificate } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { createSecureContext } from 'node:tls';
import { describeError, HashikeError } from '../base/errors.ts';

/** Paths of PEM files. */
export interface CertificatePaths {
  /** The certificate, and behind it those that link it to its authority. */
  readonly certFile: string;
  readonly keyFile: string;
  /** Authorities of client certificates. */
  readonly clientCa?: string | undefined;
}

/** What the files hold, known to fit together. */
export interface Credentials {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly ca: Buffer | undefined;
  /** When the certificate expires, in ISO 8601. */
  readonly expires: string;
}

/** Reads them all. Rejects with HSK-2104 when one can't be read or used, or they don't fit together. */
export async function readCertificates(paths: CertificatePaths): Promise<Credentials> {
  const { certFile, keyFile, clientCa } = paths;
  try {
    const [cert, key, ca] = await Promise.all([
      readFile(certFile),
      readFile(keyFile),
      clientCa === undefined ? undefined : readFile(clientCa),
    ]);
    createSecureContext({ cert, key, ca });
    return { cert, key, ca, expires: new X509Certificate(cert).validToDate.toISOString() };
  } catch (error) {
    throw new HashikeError(
      'HSK-2104',
      `the certificate ${certFile} can't be used: ${describeError(error)}`,
      { certFile, keyFile, clientCa },
      error,
    );
  }
}

/** Tells one state of the files from another, without reading them. A file that is missing is a state too. */
export async function lookAtCertificates(paths: CertificatePaths): Promise<string> {
  const states = [paths.certFile, paths.keyFile, paths.clientCa ?? ''].map((path) =>
    stat(path).then(
      ({ dev, ino, size, mtimeMs }) => [dev, ino, size, mtimeMs].join(),
      () => 'missing',
    ),
  );
  return (await Promise.all(states)).join(' ');
}
