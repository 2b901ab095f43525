import type { Ledger } from '../node/ledger.ts';
import { NumberSet } from '../node/number-set.ts';

/** Identifiers remembered for telling repetitions; the oldest are forgotten first. */
const REMEMBERED_IDS = 200_000;

/** One message of the gateway, as far as a consumer of the simulated nodes reads it. */
export interface Reading {
  readonly id: string;
  readonly topic: string;
  readonly values: readonly { readonly name: string; readonly value: unknown; readonly unit?: string }[];
  readonly sequence: number;
}

interface TopicRecord {
  readonly seen: NumberSet;
  last: number;
}

/**
 * A careful consumer in the cloud: it drops what it has seen by its `id`, and what is left must hold every reading once and, topic by topic, in order. Takes the
 * gateway's JSON payloads of the profile in `site-plan.ts`.
 */
export class Consumer {
  readonly #ids = new Set<string>();
  readonly #topics = new Map<string, TopicRecord>();
  /** Different readings that arrived. */
  delivered = 0;
  /** Messages with an `id` seen before: allowed, and dropped. */
  repeated = 0;
  /** Readings that came twice under different identifiers: a defect. */
  duplicated = 0;
  /** Readings that came after a newer one of their topic: a defect. */
  misordered = 0;
  /** Messages that are no reading of a simulated node. */
  foreign = 0;

  /** Takes one message; gives what it says when it was new. */
  take(payload: Buffer): Reading | undefined {
    const reading = parseReading(payload);
    if (!reading) {
      this.foreign += 1;
      return undefined;
    }
    const { id, topic, sequence } = reading;
    if (this.#ids.has(id)) {
      this.repeated += 1;
      return undefined;
    }
    this.#remember(id);
    const record = this.#record(topic);
    if (record.seen.has(sequence)) {
      this.duplicated += 1;
      return undefined;
    }
    record.seen.add(sequence);
    this.delivered += 1;
    if (sequence < record.last) this.misordered += 1;
    record.last = Math.max(record.last, sequence);
    return reading;
  }

  /** Readings that a gateway acknowledged and that did not arrive, as `topic number`. */
  missing(ledgers: readonly Ledger[]): string[] {
    return ledgers.flatMap(({ topics }) =>
      [...topics].flatMap(([topic, { acknowledged }]) =>
        acknowledged.without(this.#record(topic).seen).map((sequence) => `${topic} ${sequence}`),
      ),
    );
  }

  #remember(id: string): void {
    this.#ids.add(id);
    if (this.#ids.size <= REMEMBERED_IDS) return;
    const [oldest] = this.#ids;
    if (oldest !== undefined) this.#ids.delete(oldest);
  }

  #record(topic: string): TopicRecord {
    let record = this.#topics.get(topic);
    if (!record) this.#topics.set(topic, (record = { seen: new NumberSet(), last: 0 }));
    return record;
  }
}

function parseReading(payload: Buffer): Reading | undefined {
  try {
    const { id, topic, values } = JSON.parse(payload.toString('utf8')) as Partial<Reading>;
    const sequence = values?.find(({ name }) => name === 'sequence')?.value;
    if (typeof id !== 'string' || typeof topic !== 'string' || !values || typeof sequence !== 'number')
      return undefined;
    return { id, topic, values, sequence };
  } catch {
    return undefined;
  }
}
