import type { BestEffort } from '../session/ports.ts';
import type { Publication } from '../wire/publication.ts';

/** What a publication costs in memory beside its texts and content, about. */
const OVERHEAD_BYTES = 128;

export interface ConflationOptions {
  /** Bytes that it holds at most; one message it always does. */
  readonly maxBytes: number;
  /** Epoch ms. */
  readonly wall: () => number;
  readonly send: (publication: Publication) => BestEffort;
  readonly dropped: (reason: 'conflated' | 'expired' | 'send-queue-full' | 'link-lost') => void;
}

/** Best-effort messages for a client whose send queue is full: the newest of each topic, until there is room (clause 5.5.4). */
export class Conflation {
  readonly #options: ConflationOptions;
  /** Those that wait for longest first. */
  readonly #newest = new Map<string, Publication>();
  #bytes = 0;

  constructor(options: ConflationOptions) {
    this.#options = options;
  }

  /** Something waits: what comes now has to wait as well, or it would overtake. */
  get active(): boolean {
    return this.#newest.size > 0;
  }

  put(publication: Publication): void {
    const { maxBytes, dropped } = this.#options;
    const { topic } = publication;
    const before = this.#newest.get(topic);
    if (before) {
      this.#bytes -= bytesOf(before);
      dropped('conflated');
    }
    // A copy: the content is a view on all that was received with it. In the place of the one before, so that each topic has its turn.
    this.#newest.set(topic, { ...publication, content: publication.content.slice() });
    this.#bytes += bytesOf(publication);
    for (const [oldest] of this.#newest) {
      if (this.#bytes <= maxBytes || this.#newest.size === 1) return;
      this.#remove(oldest);
      dropped('send-queue-full');
    }
  }

  /** To be called when there may be room. */
  flush(): void {
    const { wall, send, dropped } = this.#options;
    for (const [topic, publication] of this.#newest) {
      const expired = (publication.expiresAt ?? Infinity) <= wall();
      if (expired) dropped('expired');
      else if (send(publication) === 'full') return;
      this.#remove(topic);
    }
  }

  /** The link is gone, and best effort ends with it. */
  clear(): void {
    for (const topic of this.#newest.keys()) {
      this.#remove(topic);
      this.#options.dropped('link-lost');
    }
  }

  #remove(topic: string): void {
    const publication = this.#newest.get(topic);
    if (!publication) return;
    this.#newest.delete(topic);
    this.#bytes -= bytesOf(publication);
  }
}

function bytesOf({ topic, content, responseTopic = '', correlation }: Publication): number {
  return OVERHEAD_BYTES + topic.length + content.length + responseTopic.length + (correlation?.length ?? 0);
}
