/**
 * A queue with constant-time ends and access by index, 0 being the oldest. Its bound is its owner's business. While it is empty, as most queues of a server are, it has no
 * memory for items.
 */
export class Fifo<T> {
  #items: (T | undefined)[] | undefined;
  #head = 0;

  get length(): number {
    return this.#items === undefined ? 0 : this.#items.length - this.#head;
  }

  push(item: T): void {
    if (this.#items === undefined) this.#items = [item];
    else this.#items.push(item);
  }

  at(index: number): T | undefined {
    return index < 0 ? undefined : this.#items?.[this.#head + index];
  }

  shift(): T | undefined {
    const items = this.#items;
    if (items === undefined) return undefined;
    const item = items[this.#head];
    items[this.#head] = undefined;
    this.#head += 1;
    if (this.#head === items.length) {
      this.clear();
    } else if (this.#head > 32 && this.#head * 2 > items.length) {
      // Moving the rest only when it is the smaller half keeps the cost per item constant.
      items.splice(0, this.#head);
      this.#head = 0;
    }
    return item;
  }

  clear(): void {
    this.#items = undefined;
    this.#head = 0;
  }
}
