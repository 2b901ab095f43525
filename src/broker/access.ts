import { createHash } from 'node:crypto';
import { HashikeError } from '../base/errors.ts';
import type { ClientConfig } from '../config/schema.ts';
import { covers, matches } from '../topic/topic.ts';
import type { Principal } from './ports.ts';

/** Who a token or a certificate belongs to, before a client that shares it has told its name. */
export interface TokenHolder {
  /** Name of the client in the configuration. */
  readonly name: string;
  /** Several clients use the token and tell themselves apart by CLIENT_NAME (clause 5.3.4). */
  readonly shared: boolean;
  /** The principal of the client; `clientName` counts only where the token is shared. Throws HSK-3007 when it is missing there or unfit for topics. */
  principal(clientName: string | undefined): Principal;
}

/** No anonymous access: who may do what, by the hash of the token or the name in the certificate, from the `clients` of the configuration. */
export class Access {
  /** By the hash of the token. */
  readonly #holders = new Map<string, TokenHolder>();
  /** By the common name of the certificate. */
  readonly #certified = new Map<string, TokenHolder>();
  readonly #byName = new Map<string, TokenHolder>();

  /** Throws HSK-3002 when two clients have the same name, token or certificate. */
  constructor(clients: readonly ClientConfig[]) {
    for (const client of clients) {
      const holder = holderOf(client);
      addOnce(this.#byName, client.name, holder);
      addOnce(this.#holders, client.token, holder);
      addOnce(this.#certified, client.certificate, holder);
    }
  }

  /** The clients that have a token of their own: their CLIENT_ID is known before they connect. */
  get clientIds(): readonly string[] {
    return [...this.#byName.values()].filter(({ shared }) => !shared).map(({ name }) => name);
  }

  /** The principal with that CLIENT_ID, as it was given before; undefined when the configuration does not know it any more. */
  principal(clientId: string): Principal | undefined {
    const slash = clientId.indexOf('/');
    const holder = this.#byName.get(slash < 0 ? clientId : clientId.slice(0, slash));
    if (!holder || holder.shared !== slash >= 0) return undefined;
    return holder.principal(clientId.slice(slash + 1));
  }

  /**
   * Whose token this is. The look-up is by a hash that the asker can't choose, so its time tells nothing about the tokens.
   */
  holder(token: Uint8Array): TokenHolder | undefined {
    return this.#holders.get(`sha256:${createHash('sha256').update(token).digest('hex')}`);
  }

  /** Whose certificate this is, by its common name. The transport has verified it. */
  certified(commonName: string): TokenHolder | undefined {
    return this.#certified.get(commonName);
  }
}

/** Whatever tells clients apart belongs to one of them. */
function addOnce(holders: Map<string, TokenHolder>, key: string | undefined, holder: TokenHolder): void {
  if (key === undefined) return;
  if (holders.has(key)) {
    const text = `the client ${holder.name} has the name, token or certificate of another`;
    throw new HashikeError('HSK-3002', text, { client: holder.name });
  }
  holders.set(key, holder);
}

function holderOf(client: ClientConfig): TokenHolder {
  const { name, shared } = client;
  const single = shared ? undefined : principalOf(name, client);
  return {
    name,
    shared,
    principal: (clientName) => single ?? principalOf(`${name}/${checkClientName(name, clientName)}`, client),
  };
}

/** A shared client's name becomes a level of topics: it must be one, and no wildcard. */
function checkClientName(token: string, clientName: string | undefined): string {
  if (clientName === undefined) {
    throw new HashikeError('HSK-3007', `the token ${token} is shared: CLIENT_NAME is needed`, { token });
  }
  // oxlint-disable-next-line no-control-regex -- control characters are what this is about
  if (!/^[^/+#\u0000-\u001f\u007f]+$/u.test(clientName)) {
    throw new HashikeError('HSK-3007', 'CLIENT_NAME holds a character that a level of a topic can’t', {
      token,
    });
  }
  return clientName;
}

function principalOf(clientId: string, rules: Pick<ClientConfig, 'publish' | 'subscribe'>): Principal {
  const publish = rules.publish.map((filter) => fillIn(filter, clientId));
  const subscribe = rules.subscribe.map((filter) => fillIn(filter, clientId));
  return {
    clientId,
    mayPublish: (topic) => publish.some((filter) => matches(filter, topic)),
    maySubscribe: (filter) => subscribe.some((allowed) => covers(allowed, filter)),
  };
}

/** `pattern` with the client's id for `{client}`. */
function fillIn(pattern: string, clientId: string): string {
  return pattern.replaceAll('{client}', () => clientId);
}

/** A part of the gateway itself, such as a bridge: it may do everything. `name` stands as its CLIENT_ID. */
export function trusted(name: string): Principal {
  return { clientId: name, mayPublish: () => true, maySubscribe: () => true };
}
