import { NumberSet } from './number-set.ts';

/**
 * What became of the readings of one topic. They are numbered 1, 2, 3 … as they are made, and each number ends in one of the sets or still waits
 * in the node.
 */
export interface TopicLedger {
  made: number;
  /** The gateway has taken custody. */
  readonly acknowledged: NumberSet;
  /** The gateway has refused them (REJECTED, 4.xx). */
  readonly rejected: NumberSet;
  /** Best effort: sent once, or not at all while there was no session. */
  readonly bestEffort: NumberSet;
  /** The node's outbox was full. */
  readonly overflowed: NumberSet;
  /** They were in RAM when the power went. */
  readonly forgotten: NumberSet;
}

export interface CommandRecord {
  readonly topic: string;
  /** Of the command's content, as lower-case hex. */
  readonly content: string;
  /** The command's own number, where its content begins with a u32; tells a command that came twice. */
  readonly number: number | undefined;
  /** Milliseconds since the Unix epoch. */
  readonly at: number;
}

export type Outcome = Exclude<keyof TopicLedger, 'made'>;

export type LedgerEvent =
  | {
      readonly event: 'made' | Outcome;
      readonly node: string;
      readonly topic: string;
      readonly sequence: number;
    }
  | ({ readonly event: 'command'; readonly node: string } & CommandRecord)
  | { readonly event: 'note'; readonly node: string; readonly note: string };

/** Sums over the topics of a node, or over nodes. */
export interface LedgerSums {
  readonly made: number;
  readonly acknowledged: number;
  readonly rejected: number;
  readonly bestEffort: number;
  readonly overflowed: number;
  readonly forgotten: number;
  /** Still in the node. */
  readonly waiting: number;
  readonly commands: number;
}

/** What a node knows of its own doing. It stands outside the node's memory: no reboot loses it. */
export class Ledger {
  readonly node: string;
  readonly topics = new Map<string, TopicLedger>();
  readonly commands: CommandRecord[] = [];
  /** What happened how often: `connected`, `resumed`, `reset`, `retransmission`, `malformed-frame` … */
  readonly counts = new Map<string, number>();
  #listener: ((event: LedgerEvent) => void) | undefined;

  constructor(node: string) {
    this.node = node;
  }

  onEvent(listener: (event: LedgerEvent) => void): void {
    this.#listener = listener;
  }

  /** The next reading of this topic; gives its number. */
  make(topic: string): number {
    const sequence = ++this.topic(topic).made;
    this.#listener?.({ event: 'made', node: this.node, topic, sequence });
    return sequence;
  }

  settle(outcome: Outcome, topic: string, sequence: number): void {
    this.topic(topic)[outcome].add(sequence);
    this.#listener?.({ event: outcome, node: this.node, topic, sequence });
  }

  command(record: CommandRecord): void {
    this.commands.push(record);
    this.#listener?.({ event: 'command', node: this.node, ...record });
  }

  /** Counts something by name; `tell` also reports it. */
  count(what: string, tell = false): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
    if (tell) this.#listener?.({ event: 'note', node: this.node, note: what });
  }

  topic(topic: string): TopicLedger {
    let ledger = this.topics.get(topic);
    if (!ledger) {
      ledger = {
        made: 0,
        acknowledged: new NumberSet(),
        rejected: new NumberSet(),
        bestEffort: new NumberSet(),
        overflowed: new NumberSet(),
        forgotten: new NumberSet(),
      };
      this.topics.set(topic, ledger);
    }
    return ledger;
  }

  get sums(): LedgerSums {
    const total = (outcome: Outcome): number =>
      [...this.topics.values()].reduce((sum, topic) => sum + topic[outcome].size, 0);
    const made = [...this.topics.values()].reduce((sum, topic) => sum + topic.made, 0);
    const ended = {
      acknowledged: total('acknowledged'),
      rejected: total('rejected'),
      bestEffort: total('bestEffort'),
      overflowed: total('overflowed'),
      forgotten: total('forgotten'),
    };
    const waiting = made - Object.values(ended).reduce((sum, count) => sum + count, 0);
    return { made, ...ended, waiting, commands: this.commands.length };
  }

  toJSON(): object {
    return {
      ...this.sums,
      topics: Object.fromEntries(this.topics),
      counts: Object.fromEntries(this.counts),
    };
  }
}

export function addSums(ledgers: readonly Ledger[]): LedgerSums {
  const zero: LedgerSums = {
    made: 0,
    acknowledged: 0,
    rejected: 0,
    bestEffort: 0,
    overflowed: 0,
    forgotten: 0,
    waiting: 0,
    commands: 0,
  };
  return ledgers.reduce(
    (total, { sums }) =>
      Object.fromEntries(
        Object.entries(sums).map(([key, value]) => [key, value + total[key as keyof LedgerSums]]),
      ) as unknown as LedgerSums,
    zero,
  );
}
