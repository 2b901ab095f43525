/** A set of positive integers, kept as ranges: numbers that mostly follow each other cost next to nothing. */
export class NumberSet {
  /** [first, last], ascending, never touching. */
  #ranges: [number, number][] = [];

  constructor(numbers: Iterable<number> = []) {
    for (const number of numbers) this.add(number);
  }

  get size(): number {
    return this.#ranges.reduce((size, [first, last]) => size + last - first + 1, 0);
  }

  has(number: number): boolean {
    const range = this.#ranges[this.#indexFor(number)];
    return range !== undefined && range[0] <= number;
  }

  /** False when it was there already. */
  add(number: number): boolean {
    const index = this.#indexFor(number);
    const right = this.#ranges[index];
    if (right && right[0] <= number) return false;
    const left = this.#ranges[index - 1];
    const joinsLeft = left?.[1] === number - 1;
    const joinsRight = right?.[0] === number + 1;
    const first = joinsLeft ? left[0] : number;
    const last = joinsRight ? right[1] : number;
    this.#ranges.splice(joinsLeft ? index - 1 : index, Number(joinsLeft) + Number(joinsRight), [first, last]);
    return true;
  }

  /** Numbers of this set that `other` lacks. */
  without(other: NumberSet): number[] {
    return [...this].filter((number) => !other.has(number));
  }

  *[Symbol.iterator](): Generator<number> {
    for (const [first, last] of this.#ranges) for (let number = first; number <= last; number++) yield number;
  }

  /** As text, such as `1-40,42`. */
  toJSON(): string {
    return this.#ranges.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`)).join(',');
  }

  /** Index of the first range that ends at or after `number`. */
  #indexFor(number: number): number {
    let low = 0;
    let high = this.#ranges.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#ranges[middle]?.[1] ?? 0) < number) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
