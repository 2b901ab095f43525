import { createHash } from 'node:crypto';
import { HashikeError } from '../base/errors.ts';
import type { ClientConfig } from '../config/schema.ts';
import { covers, matches } from '../topic/topic.ts';
import type { ReasonValue } from '../wire/message.ts';
import { Reason } from '../wire/numbers.ts';
import type { Principal } from './ports.ts';
import { tokenNameOf } from './token-accounts.ts';

/** Who a token or a certificate belongs to, before a client that shares it has told its name. */
export interface TokenHolder {
  /** Name of the client in the configuration. */
  readonly name: string;
  /** Several clients use the token and tell themselves apart by CLIENT_NAME (clause 5.3.4). */
  readonly shared: boolean;
  /** The principal of the client; `clientName` counts only where the token is shared. Throws HSK-3007 when it is missing there or unfit for topics. */
  principal(clientName: string | undefined): Principal;
}

/** By what a session was begun. */
export interface Admission {
  readonly holder: TokenHolder;
  /** Hash of the token, or the certificate; undefined for a session of an earlier process, of which only the name is known. */
  readonly credential?: string | undefined;
}

type Rules = Pick<ClientConfig, 'publish' | 'subscribe'>;

/** What tells clients apart and admits them, as one key. */
const byToken = (hash: string): string => hash;
const byCertificate = (commonName: string): string => `CN:${commonName}`;

/** No anonymous access: who may do what, by the hash of the token or the name in the certificate, from the `clients` of the configuration. */
export class Access {
  /** By token or certificate. */
  #admissions: ReadonlyMap<string, Admission> = new Map();
  #byName: ReadonlyMap<string, TokenHolder> = new Map();
  /** Epoch ms, by name. */
  #expiries: ReadonlyMap<string, number> = new Map();
  /** What the rights of each holder were made from. */
  readonly #rights = new WeakMap<TokenHolder, string>();

  /** Throws HSK-3002 when two clients have the same name, token or certificate. */
  constructor(clients: readonly ClientConfig[]) {
    this.reload(clients);
  }

  /** Takes other clients in place of those before; who has the rights of before stays the same holder. Throws HSK-3002, and changes nothing then. */
  reload(clients: readonly ClientConfig[]): void {
    const admissions = new Map<string, Admission>();
    const byName = new Map<string, TokenHolder>();
    const expiries = new Map<string, number>();
    for (const client of clients) {
      const { name, token, certificate, expires } = client;
      const holder = this.#holderOf(client);
      addOnce(byName, name, holder, holder);
      for (const credential of [token && byToken(token), certificate && byCertificate(certificate)]) {
        if (credential) addOnce(admissions, credential, { holder, credential }, holder);
      }
      if (expires !== undefined) expiries.set(name, Date.parse(expires));
    }
    this.#admissions = admissions;
    this.#byName = byName;
    this.#expiries = expiries;
  }

  /** The clients that have a token of their own: their CLIENT_ID is known before they connect. */
  get clientIds(): readonly string[] {
    return [...this.#byName.values()].filter(({ shared }) => !shared).map(({ name }) => name);
  }

  /** The principal with that CLIENT_ID, as it was given before; undefined when the configuration does not know it any more. */
  principal(clientId: string): Principal | undefined {
    const name = tokenNameOf(clientId);
    const holder = this.#byName.get(name);
    if (!holder || holder.shared !== clientId.length > name.length) return undefined;
    return holder.principal(clientId.slice(name.length + 1));
  }

  /** The holder of that name. */
  named(name: string): TokenHolder | undefined {
    return this.#byName.get(name);
  }

  /** @param wall epoch ms */
  isExpired({ name }: TokenHolder, wall: number): boolean {
    return (this.#expiries.get(name) ?? Infinity) <= wall;
  }

  /** When the next token expires after `wall`, epoch ms. */
  nextExpiry(wall: number): number | undefined {
    const coming = [...this.#expiries.values()].filter((at) => at > wall);
    return coming.length === 0 ? undefined : Math.min(...coming);
  }

  /** Why a session that was admitted so may not go on; undefined: it may. */
  objection({ holder, credential }: Admission, wall: number): ReasonValue | undefined {
    const now = this.#byName.get(holder.name);
    if (!now || (credential !== undefined && this.#admissions.get(credential)?.holder !== now)) {
      return { code: Reason.TOKEN_ERROR, text: 'the token is known no more' };
    }
    if (this.isExpired(now, wall)) return { code: Reason.TOKEN_ERROR, text: 'the token has expired' };
    return now === holder
      ? undefined
      : { code: Reason.NOT_ALLOWED, text: 'what the token allows has changed: connect anew' };
  }

  /**
   * Whose token this is. The look-up is by a hash that the asker can't choose, so its time tells nothing about the tokens.
   */
  holder(token: Uint8Array): TokenHolder | undefined {
    return this.byToken(token)?.holder;
  }

  /** Who comes in with a token. */
  byToken(token: Uint8Array): Admission | undefined {
    return this.#admissions.get(byToken(`sha256:${createHash('sha256').update(token).digest('hex')}`));
  }

  /** Who comes in with a certificate, by its common name. The transport has verified it. */
  byCertificate(commonName: string): Admission | undefined {
    return this.#admissions.get(byCertificate(commonName));
  }

  #holderOf(client: ClientConfig): TokenHolder {
    const { name, publish, subscribe, shared, profile } = client;
    const rights = JSON.stringify([publish, subscribe, shared, profile]);
    const before = this.#byName.get(name);
    const holder = before && this.#rights.get(before) === rights ? before : holderOf(client);
    this.#rights.set(holder, rights);
    return holder;
  }
}

/** Whatever tells clients apart belongs to one of them. */
function addOnce<T>(all: Map<string, T>, key: string, value: T, { name }: TokenHolder): void {
  if (all.has(key)) {
    const text = `the client ${name} has the name, token or certificate of another`;
    throw new HashikeError('HSK-3002', text, { client: name });
  }
  all.set(key, value);
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

function principalOf(clientId: string, rules: Rules): Principal {
  return new ClientPrincipal(clientId, fillIn(rules.publish, clientId), fillIn(rules.subscribe, clientId));
}

class ClientPrincipal implements Principal {
  readonly clientId: string;
  readonly #publish: readonly string[];
  readonly #subscribe: readonly string[];

  constructor(clientId: string, publish: readonly string[], subscribe: readonly string[]) {
    this.clientId = clientId;
    this.#publish = publish;
    this.#subscribe = subscribe;
  }

  mayPublish(topic: string): boolean {
    return this.#publish.some((filter) => matches(filter, topic));
  }

  maySubscribe(filter: string): boolean {
    return this.#subscribe.some((allowed) => covers(allowed, filter));
  }
}

/** `patterns` with the client's id for `{client}`; the same list where none has that. */
function fillIn(patterns: readonly string[], clientId: string): readonly string[] {
  if (!patterns.some((pattern) => pattern.includes('{client}'))) return patterns;
  return patterns.map((pattern) => pattern.replaceAll('{client}', () => clientId));
}

/** A part of the gateway itself, such as a bridge: it may do everything. `name` stands as its CLIENT_ID. */
export function trusted(name: string): Principal {
  return { clientId: name, mayPublish: () => true, maySubscribe: () => true };
}
