import { ByteWriter } from '../base/bytes.ts';
import type { Clock } from '../base/clock.ts';
import { HashikeError } from '../base/errors.ts';
import type { Age } from '../session/ports.ts';
import { decodeMessage } from '../wire/long-form.ts';
import { MessageType, SectionType } from '../wire/numbers.ts';
import type { Publication } from '../wire/publication.ts';
import { PublishView } from '../wire/publish-view.ts';
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
  readonly #publish: PublishView;
  /** Matches that were published to in this run. */
  readonly #touched: Match[] = [];
  #now = 0;

  constructor(options: RelayOptions) {
    this.#options = options;
    const clientId = new ByteWriter();
    new SectionWriter(clientId).text(SectionType.CLIENT_ID, options.principal.clientId);
    this.#publish = new PublishView(clientId.finish());
  }

  /** Passes on what it can of the messages from `from` on, and returns where the first one begins that it can't; that is `to` when there is none. */
  run(bytes: Uint8Array, from: number, to: number): number {
    const { session, principal, broker, clock } = this.#options;
    const publish = this.#publish;
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
    return this.#received(this.#publish.frame).publication;
  }

  #keepNewest(bytes: Uint8Array): void {
    const publish = this.#publish;
    for (const match of this.#touched) {
      publish.read(bytes, match.newestAt);
      match.newestAt = -1;
      // A copy, or all that was received with it would be kept alive too.
      this.#options.broker.keep(match.topic, this.#received(publish.frame.slice()));
    }
    this.#touched.length = 0;
  }

  /** @param frame of the message that the view is on */
  #received(frame: Uint8Array): Received {
    const { session, principal, clock } = this.#options;
    const age = session.age(this.#publish.timestamp, this.#now);
    return new Received(frame, age, {
      clientId: principal.clientId,
      sessionId: session.idHex,
      wall: clock.wall(),
    });
  }
}

/** A PUBLISH as it was received: seldom does anybody want more of it. */
class Received implements Value {
  readonly #frame: Uint8Array;
  readonly #age: Age;
  readonly #publisher: Publisher;

  constructor(frame: Uint8Array, age: Age, publisher: Publisher) {
    this.#frame = frame;
    this.#age = age;
    this.#publisher = publisher;
  }

  get publication(): Publication {
    const message = decodeMessage(this.#frame);
    if (message.type !== MessageType.PUBLISH) {
      throw new HashikeError('HSK-1001', 'what was passed on is no PUBLISH', { type: message.type });
    }
    return fromPublish(message, this.#age, this.#publisher);
  }
}
