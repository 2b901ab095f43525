import { HashikeError } from '../base/errors.ts';
import type { AliasEntry, LayoutEntry } from '../wire/message.ts';
import { type ContentDescription, type ContentType, makeContentType } from './content-type.ts';

export interface AliasDescription {
  readonly alias: number;
  readonly topic: string;
  readonly layout: readonly string[];
}

/** `profiles` and `clients` of the configuration, as far as they matter here. */
export interface ProfilesDescription {
  readonly profiles: Readonly<
    Record<
      string,
      {
        readonly contents: readonly ContentDescription[];
        readonly aliases: readonly AliasDescription[];
        readonly commands: readonly string[];
      }
    >
  >;
  readonly clients: readonly {
    readonly name: string;
    readonly profile?: string | undefined;
    readonly shared: boolean;
  }[];
}

interface Alias {
  readonly aliasId: number;
  readonly topic: string;
  readonly contents: readonly ContentType[];
}

/** What the content of one kind of node means. */
class Profile {
  readonly byType: ReadonlyMap<number, ContentType>;
  readonly byName: ReadonlyMap<string, ContentType>;
  readonly aliases: readonly Alias[];
  readonly commands: readonly string[];

  /** Throws HSK-2303 when the description contradicts itself. */
  constructor(description: ProfilesDescription['profiles'][string]) {
    const types = description.contents.map(makeContentType);
    this.byType = new Map(types.map((content) => [content.type, content]));
    this.byName = new Map(types.map((content) => [content.name, content]));
    this.aliases = description.aliases.map(({ alias, topic, layout }) => ({
      aliasId: alias,
      topic,
      contents: layout.map((name, index) => this.#member(name, index === layout.length - 1)),
    }));
    this.commands = description.commands;
  }

  #member(name: string, last: boolean): ContentType {
    const content = this.byName.get(name);
    if (!content)
      throw new HashikeError('HSK-2303', `a layout names ${name}, which no content has`, { name });
    if (content.length === undefined && !last) {
      throw new HashikeError('HSK-2303', `${name} has no fixed length and may stand last in a layout only`, {
        name,
      });
    }
    return content;
  }
}

/** A profile as it holds for one client: `{client}` is filled in. */
export class ClientProfile {
  readonly clientId: string;
  readonly #profile: Profile;

  constructor(clientId: string, profile: Profile) {
    this.clientId = clientId;
    this.#profile = profile;
  }

  /** The content of that section type, or undefined. */
  byType(type: number): ContentType | undefined {
    return this.#profile.byType.get(type);
  }

  /** The content of that name, or undefined. */
  byName(name: string): ContentType | undefined {
    return this.#profile.byName.get(name);
  }

  /** Names of all contents, in the order of the configuration. */
  get names(): readonly string[] {
    return [...this.#profile.byName.keys()];
  }

  /** The aliases that hold from the start of each of the client's sessions (clause 6.1.2). */
  get aliases(): readonly AliasEntry[] {
    return this.#profile.aliases.map(({ aliasId, topic, contents }) => ({
      aliasId,
      topic: fill(topic, this.clientId),
      layout: layoutEntries(contents),
    }));
  }

  /** Filters of the durable subscription that the gateway keeps for the client. */
  get commands(): readonly string[] {
    return this.#profile.commands.map((filter) => fill(filter, this.clientId));
  }

  /** The contents of the alias that names `topic`; undefined where none does or its layout is empty. */
  layoutOf(topic: string): readonly ContentType[] | undefined {
    const alias = this.#profile.aliases.find(
      ({ topic: pattern, contents }) => contents.length > 0 && fill(pattern, this.clientId) === topic,
    );
    return alias?.contents;
  }
}

/** The layout of the protocol (clause 4.1) for contents that follow each other. */
export function layoutEntries(contents: readonly ContentType[]): readonly LayoutEntry[] {
  return contents.map(({ type, length }) => ({ contentType: type, length: length ?? 0 }));
}

const emptyProfile = new Profile({ contents: [], aliases: [], commands: [] });

/** Every profile of the configuration, by the clients that have them. */
export class Profiles {
  /** By the name of the token; a shared one stands for all `name/CLIENT_NAME`. */
  #byToken: ReadonlyMap<string, { readonly shared: boolean; readonly profile: Profile }>;
  #layouts = new Map<string, readonly ContentType[]>();
  #sharedLayouts: { readonly pattern: RegExp; readonly contents: readonly ContentType[] }[] = [];

  constructor(clients: ReadonlyMap<string, { readonly shared: boolean; readonly profile: Profile }>) {
    this.#byToken = clients;
    for (const [name, { shared, profile }] of clients) {
      for (const { topic, contents } of profile.aliases) {
        if (contents.length === 0) continue;
        if (shared) this.#sharedLayouts.push({ pattern: anyClientOf(name, topic), contents });
        else this.#layouts.set(fill(topic, name), contents);
      }
    }
  }

  /** Says from now on what `others` say. */
  become(others: Profiles): void {
    this.#byToken = others.#byToken;
    this.#layouts = others.#layouts;
    this.#sharedLayouts = others.#sharedLayouts;
  }

  /** The profile of a client by its CLIENT_ID; an empty one for a client without. */
  forClient(clientId: string): ClientProfile {
    const slash = clientId.indexOf('/');
    const token = this.#byToken.get(slash < 0 ? clientId : clientId.slice(0, slash));
    return new ClientProfile(clientId, token && token.shared === slash >= 0 ? token.profile : emptyProfile);
  }

  /** The contents of the layout that some client's alias gives `topic`; undefined where none does. */
  layoutOf(topic: string): readonly ContentType[] | undefined {
    return (
      this.#layouts.get(topic) ?? this.#sharedLayouts.find(({ pattern }) => pattern.test(topic))?.contents
    );
  }
}

/** Throws HSK-2303 when a profile contradicts itself or a client names one that is not there; `loadConfig` finds that earlier. */
export function compileProfiles(config: ProfilesDescription): Profiles {
  const profiles = new Map(
    Object.entries(config.profiles).map(([name, description]) => [name, new Profile(description)]),
  );
  return new Profiles(
    new Map(
      config.clients.map(({ name, shared, profile }) => {
        const found = profile === undefined ? emptyProfile : profiles.get(profile);
        if (!found)
          throw new HashikeError('HSK-2303', `the client ${name} names a profile that is not there`, {
            name,
          });
        return [name, { shared, profile: found }];
      }),
    ),
  );
}

function fill(pattern: string, clientId: string): string {
  return pattern.replaceAll('{client}', clientId);
}

/** Matches what `pattern` becomes for any client that shares the token `name`. */
function anyClientOf(name: string, pattern: string): RegExp {
  const parts = pattern.split('{client}').map(literally);
  return new RegExp(`^${parts.join(`${literally(name)}/[^/]+`)}$`, 'u');
}

function literally(text: string): string {
  return text.replaceAll(/[$()*+.?[\\\]^{|}/]/g, String.raw`\$&`);
}
