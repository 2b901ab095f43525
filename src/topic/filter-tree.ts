import { hasWildcard } from './topic.ts';

/** One level of the wildcard filters. */
interface Node<T> {
  readonly children: Map<string, Node<T>>;
  /** Of filters that end here. */
  readonly values: Set<T>;
  /** Of filters that end here in `#`. */
  readonly rest: Set<T>;
}

function makeNode<T>(): Node<T> {
  return { children: new Map(), values: new Set(), rest: new Set() };
}

/**
 * Values by topic filter. Filters without a wildcard are found by one look-up; the others level by level, so that a match costs what
 * the topic's levels and the wildcards on their way cost, however many filters there are. Filters and topics must be valid.
 */
export class FilterTree<T> {
  readonly #exact = new Map<string, Set<T>>();
  readonly #root = makeNode<T>();
  #size = 0;
  #version = 0;

  /** Pairs of filter and value. */
  get size(): number {
    return this.#size;
  }

  /** Grows with every change: what `match` returned holds as long as this stays the same. */
  get version(): number {
    return this.#version;
  }

  /** Adds `value` for `filter`; false when it was there. */
  add(filter: string, value: T): boolean {
    const values = hasWildcard(filter) ? this.#makePath(filter) : this.#makeExact(filter);
    if (values.has(value)) return false;
    values.add(value);
    this.#size += 1;
    this.#version += 1;
    return true;
  }

  /** Removes `value` for `filter`; false when it was not there. */
  remove(filter: string, value: T): boolean {
    const removed = hasWildcard(filter) ? this.#removePath(filter, value) : this.#removeExact(filter, value);
    if (removed) {
      this.#size -= 1;
      this.#version += 1;
    }
    return removed;
  }

  /** The values of all filters that take `topic`, each once, in no order that means anything. */
  match(topic: string): readonly T[] {
    const found = new Set(this.#exact.get(topic));
    const root = this.#root;
    if (root.children.size > 0 || root.rest.size > 0) {
      const levels = topic.split('/');
      // A leading wildcard takes no topic that begins with $ (clause 2.3).
      if (topic.startsWith('$')) collectChild(root, levels[0] ?? '', levels, 1, found);
      else collect(root, levels, 0, found);
    }
    return [...found];
  }

  #makeExact(filter: string): Set<T> {
    let values = this.#exact.get(filter);
    if (!values) this.#exact.set(filter, (values = new Set()));
    return values;
  }

  #removeExact(filter: string, value: T): boolean {
    const values = this.#exact.get(filter);
    if (!values?.delete(value)) return false;
    if (values.size === 0) this.#exact.delete(filter);
    return true;
  }

  #makePath(filter: string): Set<T> {
    let node = this.#root;
    for (const level of filter.split('/')) {
      if (level === '#') return node.rest;
      let child = node.children.get(level);
      if (!child) node.children.set(level, (child = makeNode()));
      node = child;
    }
    return node.values;
  }

  #removePath(filter: string, value: T): boolean {
    const path: { readonly parent: Node<T>; readonly level: string; readonly node: Node<T> }[] = [];
    let node = this.#root;
    let values: Set<T> | undefined;
    for (const level of filter.split('/')) {
      if (level === '#') {
        values = node.rest;
        break;
      }
      const child = node.children.get(level);
      if (!child) return false;
      path.push({ parent: node, level, node: child });
      node = child;
    }
    if (!(values ?? node.values).delete(value)) return false;
    for (const { parent, level, node } of path.toReversed()) {
      if (node.children.size > 0 || node.values.size > 0 || node.rest.size > 0) break;
      parent.children.delete(level);
    }
    return true;
  }
}

/** Adds to `found` what the filters below `node` take of `levels` from `depth`. */
function collect<T>(node: Node<T>, levels: readonly string[], depth: number, found: Set<T>): void {
  // `#` takes its parent level too.
  for (const value of node.rest) found.add(value);
  const level = levels[depth];
  if (level === undefined) {
    for (const value of node.values) found.add(value);
    return;
  }
  collectChild(node, '+', levels, depth + 1, found);
  collectChild(node, level, levels, depth + 1, found);
}

function collectChild<T>(
  node: Node<T>,
  level: string,
  levels: readonly string[],
  depth: number,
  found: Set<T>,
): void {
  const child = node.children.get(level);
  if (child) collect(child, levels, depth, found);
}
