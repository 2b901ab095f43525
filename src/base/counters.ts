/** One counter or gauge as it is printed by `hashike status`. */
export interface Reading {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** A number that only grows. */
export interface Counter {
  add(by?: number): void;
  readonly value: number;
}

class Cell implements Counter {
  value = 0;
  add(by = 1): void {
    this.value += by;
  }
}

/**
 * Counts by name and labels. Every drop anywhere has a counter of its own: `drops(place, reason)`.
 * Labels come from a small fixed set (link names, client names, reasons), never from a peer's bytes, so the map stays bounded.
 */
export class Counters {
  readonly #cells = new Map<string, { labels: Readonly<Record<string, string>>; name: string; cell: Cell }>();
  readonly #gauges = new Map<
    string,
    { labels: Readonly<Record<string, string>>; name: string; read: () => number }
  >();

  /** The counter of that name and labels, made on first use. */
  counter(name: string, labels: Readonly<Record<string, string>> = {}): Counter {
    const key = keyOf(name, labels);
    const found = this.#cells.get(key);
    if (found) return found.cell;
    const cell = new Cell();
    this.#cells.set(key, { name, labels, cell });
    return cell;
  }

  /** The counter of what was dropped at `place` (a module or link name) for `reason` (kebab-case). */
  drops(place: string, reason: string): Counter {
    return this.counter('dropped', { place, reason });
  }

  /** A value read when somebody looks; returns a function that removes it. */
  gauge(name: string, labels: Readonly<Record<string, string>>, read: () => number): () => void {
    const key = keyOf(name, labels);
    this.#gauges.set(key, { name, labels, read });
    return () => this.#gauges.delete(key);
  }

  /** Everything, sorted by name and labels. */
  read(): readonly Reading[] {
    const all: [string, Reading][] = [];
    for (const [key, { name, labels, cell }] of this.#cells)
      all.push([key, { name, labels, value: cell.value }]);
    for (const [key, { name, labels, read }] of this.#gauges)
      all.push([key, { name, labels, value: read() }]);
    return all.sort(([a], [b]) => (a < b ? -1 : 1)).map(([, reading]) => reading);
  }
}

function keyOf(name: string, labels: Readonly<Record<string, string>>): string {
  return JSON.stringify([name, ...Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1))]);
}
