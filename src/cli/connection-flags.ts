import { readFileSync } from 'node:fs';
import { describeError, HashikeError } from '../base/errors.ts';
import { connect, type HashikeClient } from '../client/index.ts';

/** Where a gateway is and who asks: shared by `pub` and `sub`. */
export interface ConnectionFlags {
  readonly url: string;
  readonly tokenFile?: string;
  readonly name?: string;
}

export const connectionFlags = {
  url: {
    kind: 'parsed',
    parse: String,
    brief: 'the gateway, as hashike://host[:port]',
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
} as const;

type Environment = Readonly<Partial<Record<string, string>>> | undefined;

/** Connects as the flags say. The token is never an argument: the process list shows those. Throws HSK-6001 without one, and HSK-31xx. */
export function connectBy(flags: ConnectionFlags, environment: Environment): Promise<HashikeClient> {
  return connect({
    url: flags.url,
    token: tokenOf(flags, environment),
    ...(flags.name !== undefined && { clientName: flags.name }),
  });
}

function tokenOf({ tokenFile }: ConnectionFlags, environment: Environment): string {
  if (tokenFile === undefined) {
    const token = environment?.['HASHIKE_TOKEN'];
    if (token !== undefined && token !== '') return token;
    throw new HashikeError('HSK-6001', 'no token: set HASHIKE_TOKEN or name a file with --token-file');
  }
  try {
    return readFileSync(tokenFile, 'utf8').trim();
  } catch (error) {
    throw new HashikeError(
      'HSK-6001',
      `the token cannot be read: ${describeError(error)}`,
      { tokenFile },
      error,
    );
  }
}
