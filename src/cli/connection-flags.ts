import { readFileSync } from 'node:fs';
import { describeError, HashikeError } from '../base/errors.ts';
import type { ClientTls, HashikeClient } from '../client/index.ts';

/** Where a gateway is and who asks: shared by `pub` and `sub`. */
export interface ConnectionFlags {
  readonly url: string;
  readonly tokenFile?: string;
  readonly name?: string;
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

export const connectionFlags = {
  url: {
    kind: 'parsed',
    parse: String,
    brief: 'the gateway, as hashike://host[:port], hashikes:// for TLS, ws:// or wss:// for WebSocket',
    placeholder: 'URL',
    default: 'hashike://127.0.0.1',
  },
  tokenFile: {
    kind: 'parsed',
    parse: String,
    brief: 'file with the token; default: the environment variable HASHIKE_TOKEN',
    placeholder: 'FILE',
    optional: true,
  },
  name: {
    kind: 'parsed',
    parse: String,
    brief: 'name of this client, where several share the token',
    placeholder: 'NAME',
    optional: true,
  },
  ca: {
    kind: 'parsed',
    parse: String,
    brief: 'PEM file of the authority of the gateway’s certificate; default: those of the system',
    placeholder: 'FILE',
    optional: true,
  },
  cert: {
    kind: 'parsed',
    parse: String,
    brief: 'PEM file of a client certificate; one that the gateway knows makes the token needless',
    placeholder: 'FILE',
    optional: true,
  },
  key: {
    kind: 'parsed',
    parse: String,
    brief: 'PEM file of its key',
    placeholder: 'FILE',
    optional: true,
  },
} as const;

/** A TOKEN that nobody looks at (clause 5.3.7). */
const BY_CERTIFICATE = 'certificate';

type Environment = Readonly<Partial<Record<string, string>>> | undefined;

/** Connects as the flags say. The token is never an argument: the process list shows those. Throws HSK-6001 without one, and HSK-31xx. */
export async function connectBy(flags: ConnectionFlags, environment: Environment): Promise<HashikeClient> {
  const { connect } = await import('../client/index.ts');
  return connect({
    url: flags.url,
    token: tokenOf(flags, environment),
    tls: tlsOf(flags),
    ...(flags.name !== undefined && { clientName: flags.name }),
  });
}

function tlsOf({ ca, cert, key }: ConnectionFlags): ClientTls {
  if ((cert === undefined) !== (key === undefined)) {
    throw new HashikeError('HSK-6001', '--cert and --key go together');
  }
  return { ca: pemOf(ca, '--ca'), cert: pemOf(cert, '--cert'), key: pemOf(key, '--key') };
}

function tokenOf({ tokenFile, cert }: ConnectionFlags, environment: Environment): string {
  if (tokenFile === undefined) {
    const token = environment?.['HASHIKE_TOKEN'];
    if (token !== undefined && token !== '') return token;
    if (cert !== undefined) return BY_CERTIFICATE;
    throw new HashikeError('HSK-6001', 'no token: set HASHIKE_TOKEN or name a file with --token-file');
  }
  return textOf(tokenFile, 'the token').trim();
}

function pemOf(file: string | undefined, flag: string): string | undefined {
  return file === undefined ? undefined : textOf(file, `the file of ${flag}`);
}

function textOf(file: string, what: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new HashikeError('HSK-6001', `${what} cannot be read: ${describeError(error)}`, { file }, error);
  }
}
