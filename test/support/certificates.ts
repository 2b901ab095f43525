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

/** An authority of its own. */
export interface Authority {
  readonly ca: string;
  /** Signs a certificate for a new key; `name` is its common name, and the name of its files. */
  sign(name: string, extension?: string, days?: number): KeyPair;
}

const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];

/** Makes an authority whose files, and those of what it signs, are in `folder` and begin with `prefix`. */
export function makeAuthority(folder: string, prefix = ''): Authority {
  const file = (name: string): string => join(folder, `${prefix}${name}`);
  const ca: KeyPair = { cert: file('ca.pem'), key: file('ca.key') };
  const self = ['-x509', '-days', '90', '-subj', '/CN=test authority'];
  openssl('req', ...self, ...newKey, '-keyout', ca.key, '-out', ca.cert);
  return {
    ca: ca.cert,
    sign(name, extension = SERVER, days = 90) {
      const pair: KeyPair = { cert: file(`${name}.pem`), key: file(`${name}.key`) };
      const request = file(`${name}.csr`);
      const extensions = file(`${name}.ext`);
      writeFileSync(extensions, `${extension}\n`);
      openssl('req', '-new', ...newKey, '-keyout', pair.key, '-out', request, '-subj', `/CN=${name}`);
      const authority = ['-CA', ca.cert, '-CAkey', ca.key, '-CAcreateserial', '-days', String(days)];
      openssl('x509', '-req', '-in', request, ...authority, '-extfile', extensions, '-out', pair.cert);
      return pair;
    },
  };
}

/** Extension of a certificate for a server, valid for the name localhost only. */
export const SERVER = 'subjectAltName=DNS:localhost';
/** Extension of a certificate for clients. */
export const CLIENT = 'extendedKeyUsage=clientAuth';

/** An authority of its own in `folder`, with a certificate for a server and one for a client. */
export function makeCertificates(folder: string): Certificates {
  const authority = makeAuthority(folder);
  return { ca: authority.ca, server: authority.sign('server'), client: authority.sign('client', CLIENT) };
}

function openssl(...words: string[]): void {
  execFileSync('openssl', words, { stdio: 'pipe' });
}
