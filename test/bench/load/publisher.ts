import type { Protocol, PublishOptions } from '../protocols/protocol.ts';
import type { Connection } from './connection.ts';

/** Sends messages in chunks that were encoded before. */
export class Publisher {
  readonly #connection: Connection;
  readonly #protocol: Protocol;
  readonly #chunks: readonly Buffer[];
  /** Offsets of the numbers in each chunk; none for best effort. */
  readonly #numbersAt: readonly number[][];
  readonly #perChunk: number;
  #next = 0;

  /** @param topics taken in turn, `perChunk` messages to a chunk */
  constructor(
    connection: Connection,
    protocol: Protocol,
    topics: readonly string[],
    options: Omit<PublishOptions, 'topic'>,
    perChunk: number,
  ) {
    this.#connection = connection;
    this.#protocol = protocol;
    this.#perChunk = perChunk;
    const chunks: Buffer[] = [];
    const numbersAt: number[][] = [];
    const templates = topics.map((topic) => protocol.publish({ ...options, topic }));
    for (let made = 0; made < templates.length || made === 0; made += perChunk) {
      const frames: Buffer[] = [];
      const offsets: number[] = [];
      let length = 0;
      for (let index = 0; index < perChunk; index += 1) {
        const template = templates[(made + index) % templates.length];
        if (!template) continue;
        frames.push(template.frame);
        if (template.numberAt !== undefined) offsets.push(length + template.numberAt);
        length += template.frame.length;
      }
      chunks.push(Buffer.concat(frames));
      numbersAt.push(offsets);
    }
    this.#chunks = chunks;
    this.#numbersAt = numbersAt;
  }

  /** Sends one chunk. */
  send(): void {
    const index = this.#next;
    this.#next = (index + 1) % this.#chunks.length;
    const chunk = this.#chunks[index];
    if (!chunk) return;
    const numbersAt = this.#numbersAt[index] ?? [];
    if (numbersAt.length === 0) {
      this.#connection.write(chunk);
      return;
    }
    // A copy: the one before may not have left yet.
    const numbered = Buffer.from(chunk);
    let number = this.#connection.number(this.#perChunk);
    for (const at of numbersAt) {
      this.#protocol.writeNumber(numbered, at, number);
      number += 1;
    }
    this.#connection.write(numbered);
  }
}
