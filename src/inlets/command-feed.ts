import type { Log } from '../base/log.ts';
import type { ClientQueueFeed } from '../broker/ports.ts';
import type { StoredPublication } from '../spool/ports.ts';
import type { Publication } from '../wire/publication.ts';

/** Records that are read at once. */
const RECORDS = 64;

/** What became of a command: the device has it; it can't be given to this device at all; the device is gone, or its answer is not waited for any more. */
export type Outcome = 'acknowledged' | 'undeliverable' | 'gone';

/** A device that takes the commands of one topic. */
export interface CommandTaker {
  readonly topic: string;
  /** Its address. */
  readonly peer: string;
  /** Resolves when it is known what became of it; never rejects. */
  command(publication: Publication): Promise<Outcome>;
}

export interface CommandFeedOptions {
  readonly queue: ClientQueueFeed;
  readonly log: Log;
}

/**
 * Takes what waits on disk for one client to the devices that stand for it: in order, one at a time, and deletes each when it was acknowledged. Records of
 * topics that nobody takes stay where they are and hold up nothing. The twin of the broker's feed of sessions.
 */
export class CommandFeed {
  readonly #options: CommandFeedOptions;
  /** The newest last: of several for one topic it is the one that gets the commands. */
  readonly #takers: CommandTaker[] = [];
  /** Settled, and perhaps not yet deleted: not to be sent again. */
  readonly #settled = new Set<number>();
  /** Deleted since the last reading, whose records may still be at hand. */
  readonly #deleted = new Set<number>();
  /** Last record that was looked at. */
  #after = 0;
  /** What was looked at and left there is to be looked at once more. */
  #rewind = false;
  /** Something happened while the feed was at work: it goes round once more. */
  #again = false;
  #running: Promise<void> | undefined;
  #inFlight: { readonly taker: CommandTaker; readonly giveUp: () => void } | undefined;
  #closed = false;

  constructor(options: CommandFeedOptions) {
    this.#options = options;
    options.queue.onNews(() => this.pump());
  }

  /**
   * `taker` gets what waits for its topic from now on. Where one at another address has not answered for a command of this topic yet, that command goes to
   * `taker` as well: it is most likely the same device, which was started anew. Returns the end of it.
   */
  attach(taker: CommandTaker): () => void {
    this.#takers.push(taker);
    this.#rewind = true;
    const { topic, peer } = this.#inFlight?.taker ?? taker;
    if (topic === taker.topic && peer !== taker.peer) this.#inFlight?.giveUp();
    this.pump();
    return () => {
      this.#takers.splice(this.#takers.indexOf(taker), 1);
    };
  }

  /** Goes on with what waits. */
  pump(): void {
    this.#again = true;
    if (this.#ready) this.#running ??= this.#run();
  }

  /** Sends nothing more. Resolves when the command that is on its way has come to its end. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    try {
      while (this.#again && this.#ready) {
        this.#again = false;
        await this.#round();
      }
    } catch (error) {
      this.#options.log.error({ err: error }, 'CoAP: the queue of a client could not be read');
    } finally {
      this.#running = undefined;
    }
  }

  get #ready(): boolean {
    return !this.#closed && this.#options.queue.free && this.#takers.length > 0;
  }

  async #round(): Promise<void> {
    if (this.#rewind) this.#after = 0;
    this.#rewind = false;
    // What is read from here on holds no record that is deleted already.
    for (const seq of this.#deleted) this.#settled.delete(seq);
    this.#deleted.clear();
    for (const record of await this.#options.queue.consumer.read(this.#after, RECORDS)) {
      this.#again = true;
      if (this.#rewind || !this.#ready) return;
      this.#after = record.seq;
      if (!this.#settled.has(record.seq)) await this.#send(record);
    }
  }

  async #send({ seq, publication }: StoredPublication): Promise<void> {
    const taker = this.#takers.findLast(({ topic }) => topic === publication.topic);
    if (!taker) return;
    const { promise, resolve } = Promise.withResolvers<Outcome>();
    this.#inFlight = { taker, giveUp: () => resolve('gone') };
    const outcome = await Promise.race([taker.command(publication), promise]);
    this.#inFlight = undefined;
    if (outcome === 'gone') this.#rewind = true;
    else {
      this.#settled.add(seq);
      void this.#delete();
    }
  }

  /** What can't be deleted now goes with the next one. */
  async #delete(): Promise<void> {
    const { queue, log } = this.#options;
    const settled = [...this.#settled].filter((seq) => !this.#deleted.has(seq));
    try {
      await queue.consumer.discard(settled);
      for (const seq of settled) this.#deleted.add(seq);
    } catch (error) {
      log.error({ err: error }, 'CoAP: a command could not be deleted from the disk');
    }
  }
}
