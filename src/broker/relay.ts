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

/** The session of a publisher, as far as the relay needs it. */
export interface RelaySource {
  /** Hex of the SESSION_ID. */
  readonly idHex: string;
  readonly principal: Principal;
  /** CLIENT_ID as a section: see `clientIdSection`. */
  readonly clientIdSection: Uint8Array;
  /** Whether messages of the client are carried out as they come. */
  readonly flows: boolean;
  /** See `SessionMachine.admit`. */
  admit(messageId: number | undefined, timestamp: number): boolean;
  /** See `SessionMachine.age`. */
  age(timestamp: number, now: number): Age;
}

/** CLIENT_ID as it stands in a delivery. */
export function clientIdSection(clientId: string): Uint8Array {
  const writer = new ByteWriter(32);
  new SectionWriter(writer).text(SectionType.CLIENT_ID, clientId);
  return writer.finish();
}

/**
 * Passes plain PUBLISHes on as the bytes they came in, for one publisher after the other: what a topic's route and permission cost is paid once per topic, what time and last values cost once per
 * run. It stops at whatever is not plain, is refused, or goes to disk: that takes the way of every other message (`SessionRequests`), which also tells what is wrong.
 */
export class Relay {
  readonly #broker: Broker;
  readonly #clock: Clock;
  /** Matches that were published to in this run. */
  readonly #touched: Match[] = [];

  constructor(broker: Broker, clock: Clock) {
    this.#broker = broker;
    this.#clock = clock;
  }

  /** Passes on what it can of the messages of `source` from `from` on, and returns where the first one begins that it can't; that is `to` when there is none. */
  run(source: RelaySource, bytes: Uint8Array, from: number, to: number): number {
    const broker = this.#broker;
    const publish = broker.view;
    if (from >= to || !source.flows || !publish.read(bytes, from)) return from;
    publish.publishedBy(source.clientIdSection);
    const now = this.#clock.now();
    const passing = new Passing(publish, source, now, this.#clock.wall());
    let at = from;
    try {
      do {
        const match = broker.routeOf(publish, source.principal);
        if (!match || !source.admit(publish.messageId, publish.timestamp)) break;
        if (broker.lastValues) {
          if (match.newestAt < 0) this.#touched.push(match);
          match.newestAt = at;
        }
        at = publish.end;
        broker.relay(publish, match, now, passing);
      } while (at < to && source.flows && publish.read(bytes, at));
    } finally {
      this.#keepNewest(bytes, passing);
    }
    return at;
  }

  #keepNewest(bytes: Uint8Array, passing: Passing): void {
    const { view, lastValues } = this.#broker;
    for (const match of this.#touched) {
      view.read(bytes, match.newestAt);
      match.newestAt = -1;
      const kept = lastValues?.renew(match.topic);
      if (kept instanceof Received) kept.renew(passing);
      else lastValues?.set(match.topic, new Received(passing));
    }
    this.#touched.length = 0;
  }
}

/** The messages that are being passed on, one after the other, for those who want one as an object. */
class Passing implements Value {
  readonly publisher: Publisher;
  readonly #publish: PublishView;
  readonly #source: RelaySource;
  readonly #now: number;

  constructor(publish: PublishView, source: RelaySource, now: number, wall: number) {
    this.publisher = { clientId: source.principal.clientId, sessionId: source.idHex, wall };
    this.#publish = publish;
    this.#source = source;
    this.#now = now;
  }

  /** The present one, as a view on what was received. */
  get frame(): Uint8Array {
    return this.#publish.frame;
  }

  get age(): Age {
    return this.#source.age(this.#publish.timestamp, this.#now);
  }

  get publication(): Publication {
    return new Received(this).publication;
  }
}

/** A PUBLISH as it was received: seldom does anybody want more of it. What was received with it is not kept alive. */
class Received implements Value {
  #memory: Uint8Array;
  #length: number;
  #publisher: Publisher;
  #age: Age;

  constructor({ frame, publisher, age }: Passing) {
    this.#memory = frame.slice();
    this.#length = frame.length;
    this.#publisher = publisher;
    this.#age = age;
  }

  /** Becomes a newer one. */
  renew({ frame, publisher, age }: Passing): void {
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
