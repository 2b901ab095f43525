import type { AliasEntry } from '../wire/message.ts';

interface Declaration {
  readonly messageId: number;
  readonly entries: readonly AliasEntry[];
}

/**
 * The aliases of a session (clause 6.1.2). One number space for both directions; what a peer declares by ALIAS is understood at once and used by us
 * once it knows that we know, what we declare is both once acknowledged. Most clients
 * have none: what is kept of them is made when the first one comes.
 */
export class Aliases {
  /** At most 256: the number is a byte. */
  #byId: Map<number, AliasEntry> | undefined;
  /** Those that we may use. */
  #byTopic: Map<string, readonly AliasEntry[]> | undefined;
  #ours: Declaration[] | undefined;
  #theirs: Declaration[] | undefined;

  constructor(initial: readonly AliasEntry[]) {
    for (const entry of initial) {
      this.#understand(entry);
      this.#use(entry);
    }
  }

  get all(): readonly AliasEntry[] {
    return [...(this.#byId?.values() ?? [])];
  }

  /** What an alias of the peer stands for. */
  byId(aliasId: number): AliasEntry | undefined {
    return this.#byId?.get(aliasId);
  }

  /** Aliases that we may use for `topic`; they differ in their layout. */
  forTopic(topic: string): readonly AliasEntry[] {
    return this.#byTopic?.get(topic) ?? [];
  }

  /** Our ALIAS `messageId` was queued. */
  declareOurs(messageId: number, entries: readonly AliasEntry[]): void {
    (this.#ours ??= []).push({ messageId, entries });
  }

  /** The peer has acknowledged ours up to `messageId`. */
  acknowledged(messageId: number): void {
    this.#ours = apply(this.#ours, messageId, (entry) => {
      this.#understand(entry);
      this.#use(entry);
    });
  }

  /** The peer's ALIAS `messageId` was received in order. */
  declareTheirs(messageId: number, entries: readonly AliasEntry[]): void {
    // A number that meant something else is understood anew but not used by us: our ACK may get lost, and then the peer would take it for the old topic.
    const fresh = entries.filter(({ aliasId }) => !this.#byId?.has(aliasId));
    for (const entry of entries) this.#understand(entry);
    (this.#theirs ??= []).push({ messageId, entries: fresh });
  }

  /** We have told the peer that we have its messages up to `messageId`. */
  told(messageId: number): void {
    this.#theirs = apply(this.#theirs, messageId, (entry) => {
      if (this.#byId?.get(entry.aliasId) === entry) this.#use(entry);
    });
  }

  #understand(entry: AliasEntry): void {
    this.#byId ??= new Map();
    const old = this.#byId.get(entry.aliasId);
    this.#byId.set(entry.aliasId, entry);
    const sharing = old && this.#byTopic?.get(old.topic)?.filter(({ aliasId }) => aliasId !== entry.aliasId);
    if (!old || !sharing) return;
    if (sharing.length > 0) this.#byTopic?.set(old.topic, sharing);
    else this.#byTopic?.delete(old.topic);
  }

  #use(entry: AliasEntry): void {
    this.#byTopic ??= new Map();
    this.#byTopic.set(entry.topic, [...this.forTopic(entry.topic), entry]);
  }
}

/** Applies the declarations up to `messageId` and returns the others. */
function apply(
  declarations: Declaration[] | undefined,
  messageId: number,
  action: (entry: AliasEntry) => void,
): Declaration[] | undefined {
  if (!declarations) return undefined;
  for (const declaration of declarations) {
    if (declaration.messageId <= messageId) declaration.entries.forEach(action);
  }
  const left = declarations.filter((declaration) => declaration.messageId > messageId);
  return left.length > 0 ? left : undefined;
}
