import type { HashikeError } from '../base/errors.ts';
import type { Outgoing } from '../session/ports.ts';
import { matches } from '../topic/topic.ts';
import type { Presence, ReasonValue } from '../wire/message.ts';
import { MessageType } from '../wire/numbers.ts';
import type { Send } from './outbox.ts';
import { Reader } from './reader.ts';

/** Somebody came to a topic, or left it. */
export interface PresenceEvent {
  readonly topic: string;
  readonly clientId: string;
  readonly joined: boolean;
  /** Why a client left, where the server says it. */
  readonly reason?: ReasonValue | undefined;
}

/** Who comes and goes, for one reader: first those who are there. Of each client and topic it tells in turns. */
export class ClientWatch extends Reader<PresenceEvent> {
  readonly filter: string;

  constructor(filter: string, onEnd: () => void) {
    super(onEnd);
    this.filter = filter;
  }
}

/**
 * Who is present, as far as this client watches. The server tells a session of each client and topic once, however many filters match, and a new session everything
 * anew: the book makes of that what each reader has to hear.
 */
export class PresenceBook {
  readonly #ask: (message: Outgoing) => Promise<void>;
  readonly #watches = new Set<ClientWatch>();
  /** By topic and CLIENT_ID. */
  readonly #present = new Map<string, Pick<PresenceEvent, 'topic' | 'clientId'>>();
  /** While a new session is told everything: those it was told of. */
  #toldAgain: Set<string> | undefined;

  /** @param ask sends a numbered message and resolves at its ACK */
  constructor(ask: (message: Outgoing) => Promise<void>) {
    this.#ask = ask;
  }

  async watch(filter: string): Promise<ClientWatch> {
    const watch: ClientWatch = new ClientWatch(filter, () => this.#unwatch(watch));
    const known = this.#filters.has(filter);
    this.#watches.add(watch);
    for (const each of this.#present.values()) {
      if (matches(filter, each.topic)) watch.push({ ...each, joined: true }, nothing);
    }
    try {
      if (!known) await this.#ask({ type: MessageType.WATCH, topics: [filter] });
    } catch (error) {
      this.#watches.delete(watch);
      throw error;
    }
    return watch;
  }

  /** PRESENCE_JOINED or PRESENCE_LEFT came. @param taken is called when all who wanted to know of it have read it */
  told({ type, topic, clientId, reason }: Presence, taken: () => void): void {
    const joined = type === MessageType.PRESENCE_JOINED;
    const key = JSON.stringify([topic, clientId]);
    if (joined) this.#toldAgain?.add(key);
    // What is on its way after an UNWATCH is for nobody.
    if (this.#present.has(key) === joined || !this.#isWatched(topic)) taken();
    else this.#change(key, { topic, clientId, joined, reason }, taken);
  }

  /** A new session begins: asks again for what is watched. Who is not told of again has left meanwhile. */
  renew(send: Send): void {
    const filters = this.#filters;
    this.#toldAgain = new Set();
    let open = filters.size;
    const done = (): void => {
      open -= 1;
      if (open === 0) this.#forgetThoseNotTold();
    };
    for (const filter of filters) {
      send({ type: MessageType.WATCH, topics: [filter] }, done, (error) => {
        for (const watch of this.#watches) if (watch.filter === filter) watch.finish(error);
        done();
      });
    }
  }

  finish(error: HashikeError | undefined): void {
    for (const watch of this.#watches) watch.finish(error);
  }

  get #filters(): ReadonlySet<string> {
    return new Set([...this.#watches].map(({ filter }) => filter));
  }

  #isWatched(topic: string): boolean {
    return [...this.#watches].some(({ filter }) => matches(filter, topic));
  }

  #change(key: string, event: PresenceEvent, taken: () => void): void {
    const { topic, clientId, joined } = event;
    if (joined) this.#present.set(key, { topic, clientId });
    else this.#present.delete(key);
    const readers = [...this.#watches].filter(({ filter }) => matches(filter, topic));
    let open = readers.length;
    for (const reader of readers) {
      reader.push(event, () => {
        open -= 1;
        if (open === 0) taken();
      });
    }
  }

  #forgetThoseNotTold(): void {
    const told = this.#toldAgain;
    this.#toldAgain = undefined;
    for (const [key, each] of this.#present) {
      if (told?.has(key) === false) this.#change(key, { ...each, joined: false }, nothing);
    }
  }

  #unwatch(watch: ClientWatch): void {
    this.#watches.delete(watch);
    for (const [key, { topic }] of this.#present) if (!this.#isWatched(topic)) this.#present.delete(key);
    if (this.#filters.has(watch.filter)) return;
    // Nobody waits for it; a session that ends before has none any more.
    this.#ask({ type: MessageType.UNWATCH, topics: [watch.filter] }).catch(nothing);
  }
}

function nothing(): void {}
