import { ByteWriter } from '../base/bytes.ts';
import type { Clock } from '../base/clock.ts';
import { HashikeError } from '../base/errors.ts';
import type { Age } from '../session/ports.ts';
import { decodeMessage } from '../wire/long-form.ts';
import { MessageType, SectionType } from '../wire/numbers.ts';
import type { Publication } from '../wire/publication.ts';
import type { PublishView } from '../wire/publish-view.ts';
import { SectionWriter } from '../wire/section-writer.ts';
import type { Broker } from './broker.ts';
import type { Value } from './last-values.ts';
import type { Match } from './matches.ts';
import type { Principal } from './ports.ts';
import { fromPublish, type Publisher } from './publications.ts';

/** The session of the publisher, as far as the relay needs it. */
export interface RelaySession {
  /** Hex of the SESSION_ID. */
  readonly idHex: string;
  /** Whether messages of the client are carried out as they come. */
  readonly flows: boolean;
  /** See `SessionMachine.admit`. */
  admit(messageId: number | undefined, timestamp: number): boolean;
  /** See `SessionMachine.age`. */
  age(timestamp: number, now: number): Age;
}

export interface RelayOptions {
  readonly session: RelaySession;
  readonly principal: Principal;
  readonly broker: Broker;
  readonly clock: Clock;
}

/**
 * Passes plain PUBLISHes on as the bytes they came in, for one publisher: what a topic's route and permission cost is paid once per topic, what time and last values cost once per
 * run. It stops at whatever is not plain, is refused, or goes to disk: that takes the way of every other message (`SessionRequests`), which also tells what is wrong.
 */
export class Relay {
  readonly #options: RelayOptions;
  /** Shared by all relays: one runs at a time. */
  readonly #publish: PublishView;
  readonly #clientId: Uint8Array;
  /** Matches that were published to in this run. */
  readonly #touched: Match[] = [];
  #now = 0;

  constructor(options: RelayOptions) {
    this.#options = options;
    const clientId = new ByteWriter(32);
    new SectionWriter(clientId).text(SectionType.CLIENT_ID, options.principal.clientId);
    this.#clientId = clientId.finish();
    this.#publish = options.broker.view;
  }

  /** Passes on what it can of the messages from `from` on, and returns where the first one begins that it can't; that is `to` when there is none. */
  run(bytes: Uint8Array, from: number, to: number): number {
    const { session, principal, broker, clock } = this.#options;
    const publish = this.#publish;
    publish.publishedBy(this.#clientId);
    this.#now = clock.now();
    let at = from;
    try {
      while (at < to && session.flows && publish.read(bytes, at)) {
        const match = broker.routeOf(publish, principal);
        if (!match || !session.admit(publish.messageId, publish.timestamp)) break;
        if (match.newestAt < 0) this.#touched.push(match);
        match.newestAt = at;
        at = publish.end;
        broker.relay(publish, match, this.#now, this);
      }
    } finally {
      this.#keepNewest(bytes);
    }
    return at;
  }

  /** The message that is being passed on, for those who want it as an object. */
  get publication(): Publication {
    return new Received(this.#publish, this.#publisher(), this.#age()).publication;
  }

  #keepNewest(bytes: Uint8Array): void {
    if (this.#touched.length === 0) return;
    const { broker } = this.#options;
    const publish = this.#publish;
    const publisher = this.#publisher();
    for (const match of this.#touched) {
      publish.read(bytes, match.newestAt);
      match.newestAt = -1;
      const kept = broker.kept(match.topic);
      if (kept instanceof Received) kept.renew(publish, publisher, this.#age());
      else broker.keep(match.topic, new Received(publish, publisher, this.#age()));
    }
    this.#touched.length = 0;
  }

  #publisher(): Publisher {
    const { session, principal, clock } = this.#options;
    return { clientId: principal.clientId, sessionId: session.idHex, wall: clock.wall() };
  }

  /** Of the message that the view is on. */
  #age(): Age {
    return this.#options.session.age(this.#publish.timestamp, this.#now);
  }
}

/** A PUBLISH as it was received: seldom does anybody want more of it. What was received with it is not kept alive. */
class Received implements Value {
  #memory: Uint8Array;
  #length: number;
  #publisher: Publisher;
  #age: Age;

  constructor(publish: PublishView, publisher: Publisher, age: Age) {
    this.#memory = publish.frame.slice();
    this.#length = this.#memory.length;
    this.#publisher = publisher;
    this.#age = age;
  }

  /** Becomes a newer one. */
  renew(publish: PublishView, publisher: Publisher, age: Age): void {
    const { frame } = publish;
    // Memory that is too large by far is worth another piece.
    if (frame.length <= this.#memory.length && frame.length * 2 >= this.#memory.length) {
      this.#memory.set(frame);
    } else this.#memory = frame.slice();
    this.#length = frame.length;
    this.#publisher = publisher;
    this.#age = age;
  }

  get publication(): Publication {
    const message = decodeMessage(this.#memory.slice(0, this.#length));
    if (message.type !== MessageType.PUBLISH) {
      throw new HashikeError('HSK-1001', 'what was passed on is no PUBLISH', { type: message.type });
    }
    return fromPublish(message, this.#age, this.#publisher);
  }
}
