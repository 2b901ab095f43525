import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Paths of PEM files. */
export interface KeyPair {
  readonly cert: string;
  readonly key: string;
}

export interface Certificates {
  readonly ca: string;
  /** Valid for the name localhost only. */
  readonly server: KeyPair;
  readonly client: KeyPair;
}

/** Makes an authority of its own in `folder`, with a certificate for a server and one for a client. */
export function makeCertificates(folder: string): Certificates {
  const file = (name: string): string => join(folder, name);
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const ca: KeyPair = { cert: file('ca.pem'), key: file('ca.key') };
  openssl(
    'req',
    '-x509',
    ...key,
    '-keyout',
    ca.key,
    '-out',
    ca.cert,
    '-days',
    '2',
    '-subj',
    '/CN=test authority',
  );
  const signed = (name: string, extension: string): KeyPair => {
    const pair: KeyPair = { cert: file(`${name}.pem`), key: file(`${name}.key`) };
    const request = file(`${name}.csr`);
    writeFileSync(file(`${name}.ext`), `${extension}\n`);
    openssl('req', '-new', ...key, '-keyout', pair.key, '-out', request, '-subj', `/CN=${name}`);
    const authority = ['-CA', ca.cert, '-CAkey', ca.key, '-CAcreateserial'];
    openssl(
      'x509',
      '-req',
      '-in',
      request,
      ...authority,
      '-days',
      '2',
      '-extfile',
      file(`${name}.ext`),
      '-out',
      pair.cert,
    );
    return pair;
  };
  return {
    ca: ca.cert,
    server: signed('server', 'subjectAltName=DNS:localhost'),
    client: signed('client', 'extendedKeyUsage=clientAuth'),
  };
}

function openssl(...words: string[]): void {
  execFileSync('openssl', words, { stdio: 'pipe' });
}
