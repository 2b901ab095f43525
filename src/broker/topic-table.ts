import type { PublishView } from '../wire/publish-view.ts';

const FIRST_SLOTS = 64;
const FIRST_BYTES = 4096;
/** Of a slot: the hash of its topic; where this begins in the bytes of all topics; its length; the number of its value, from 1 up. A free slot has 0 there. */
const WORDS = 4;
const AT = 1;
const LENGTH = 2;
const NUMBER = 3;
/** Slots that are looked at for one topic. Where topics are made to share their hashes the others are not taken in, and nobody's look-up becomes long. */
const MAX_PROBES = 64;

/** A PUBLISH, as far as its topic goes. */
export type TopicView = Pick<PublishView, 'topic' | 'topicHash' | 'hasTopic'>;

/**
 * Values by topic, found by the bytes in which it comes. Where messages go to a hundred thousand topics in turn, a look-up costs what the processor has to fetch from memory for it: in this hash table
 * (open addressing, at most half full) that is a slot, the topic's bytes and the value.
 */
export class TopicTable<T> {
  #slots = new Int32Array(FIRST_SLOTS * WORDS);
  #values: T[] = [];
  /** The topics in UTF-8, one after the other: the first `#topicBytes` bytes. */
  #topics = new Uint8Array(FIRST_BYTES);
  #topicBytes = 0;
  /** The slot that was found last: the next message often goes to the same topic. */
  #last = 0;

  /** The value of the topic of `publish`. */
  find(publish: TopicView): T | undefined {
    const slots = this.#slots;
    const last = slots[this.#last + NUMBER] ?? 0;
    if (last > 0 && this.#fits(this.#last, publish)) return this.#values[last - 1];
    const hash = publish.topicHash;
    let slot = this.#first(hash);
    for (let probe = 0; probe < MAX_PROBES; probe += 1) {
      const number = slots[slot + NUMBER] ?? 0;
      if (number === 0) return undefined;
      if (slots[slot] === hash && this.#fits(slot, publish)) {
        this.#last = slot;
        return this.#values[number - 1];
      }
      slot = this.#next(slot);
    }
    return undefined;
  }

  /** Adds the topic of `publish`, which `find` must not find, unless there is no place for it near where it would be looked for. */
  add(publish: TopicView, value: T): void {
    const { topic, topicHash } = publish;
    const number = this.#values.length + 1;
    if (2 * number * WORDS > this.#slots.length) this.#grow();
    const at = this.#topicBytes;
    if (!this.#put([topicHash, at, topic.length, number])) return;
    this.#values.push(value);
    const end = at + topic.length;
    if (end > this.#topics.length) {
      const larger = new Uint8Array(2 * end);
      larger.set(this.#topics);
      this.#topics = larger;
    }
    this.#topics.set(topic, at);
    this.#topicBytes = end;
  }

  clear(): void {
    this.#slots = new Int32Array(FIRST_SLOTS * WORDS);
    this.#values = [];
    this.#topics = new Uint8Array(FIRST_BYTES);
    this.#topicBytes = 0;
    this.#last = 0;
  }

  #fits(slot: number, publish: TopicView): boolean {
    const slots = this.#slots;
    return publish.hasTopic(this.#topics, slots[slot + AT] ?? 0, slots[slot + LENGTH] ?? 0);
  }

  /** Where to look first. */
  #first(hash: number): number {
    return (hash * WORDS) & (this.#slots.length - 1);
  }

  #next(slot: number): number {
    return (slot + WORDS) & (this.#slots.length - 1);
  }

  /** False when all slots are taken in which it would be looked for. */
  #put(words: readonly [hash: number, at: number, length: number, number: number]): boolean {
    const slots = this.#slots;
    let slot = this.#first(words[0]);
    for (let probe = 0; probe < MAX_PROBES; probe += 1) {
      if (slots[slot + NUMBER] === 0) {
        slots.set(words, slot);
        return true;
      }
      slot = this.#next(slot);
    }
    return false;
  }

  #grow(): void {
    const old = this.#slots;
    this.#slots = new Int32Array(2 * old.length);
    this.#last = 0;
    for (let slot = 0; slot < old.length; slot += WORDS) {
      const [hash = 0, at = 0, length = 0, number = 0] = old.subarray(slot, slot + WORDS);
      if (number > 0) this.#put([hash, at, length, number]);
    }
  }
}
