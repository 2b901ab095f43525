import type { Publication } from '../../src/wire/publication.ts';
import type { CommandFeed, CommandTaker, Outcome } from '../../src/inlets/command-feed.ts';
import { publicationOf } from './publications.ts';

export function commandOf(number: number, topic = 'node/set'): Publication {
  return publicationOf(number, { topic });
}

/** Lets everything that is ready happen. */
export function turns(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** A device that observes one topic; what it is sent waits until the test says what becomes of it. */
export class CommandDevice implements CommandTaker {
  readonly topic: string;
  readonly peer: string;
  /** Numbers of the commands that were sent to it. */
  readonly sent: number[] = [];
  #answer: ((outcome: Outcome) => void) | undefined;
  #detach: (() => void) | undefined;

  constructor(topic = 'node/set', peer = 'a') {
    this.topic = topic;
    this.peer = peer;
  }

  /** The command that it has not answered for. */
  get pending(): number | undefined {
    return this.#answer && this.sent.at(-1);
  }

  get attached(): boolean {
    return this.#detach !== undefined;
  }

  attach(feed: CommandFeed): this {
    this.#detach ??= feed.attach(this);
    return this;
  }

  command({ origin }: Publication): Promise<Outcome> {
    if (this.#answer) throw new Error('a second command is sent before the first is settled');
    this.sent.push(origin.messageId ?? 0);
    return new Promise((resolve) => {
      this.#answer = (outcome) => {
        this.#answer = undefined;
        resolve(outcome);
      };
    });
  }

  async settle(outcome: Exclude<Outcome, 'gone'> = 'acknowledged'): Promise<void> {
    this.#answer?.(outcome);
    await turns();
  }

  /** The observation ends. */
  async leave(): Promise<void> {
    this.#detach?.();
    this.#detach = undefined;
    this.#answer?.('gone');
    await turns();
  }
}
