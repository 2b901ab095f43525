import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  visit,
} from 'yaml';
import type { KeyPath, Problem } from './problem.ts';

interface Place {
  readonly line: number;
  readonly column: number;
}

/**
 * What is wrong with the YAML, by the parser's code. Its own messages are not shown: they quote the file, and with it perhaps a secret.
 */
const syntax: Readonly<Record<string, readonly [wrong: string, right: string]>> = {
  DUPLICATE_KEY: ['the key stands twice', 'keep one of them'],
  TAB_AS_INDENT: ['a tab is used as indentation', 'indent with spaces'],
  BAD_INDENT: [
    'the indentation or a bracket does not fit',
    'align keys of one level, and close every [ and {',
  ],
  MISSING_CHAR: ['a character is missing', 'close every quote and bracket, and put a space after : and -'],
  BAD_SCALAR_START: ['a value begins with a character that YAML reserves', 'put the value in quotes'],
  BLOCK_AS_IMPLICIT_KEY: [
    'a mapping stands within a line',
    'put it on lines of its own, or the value in quotes',
  ],
  MULTIPLE_DOCS: ['the file holds several documents', 'remove the line ---'],
  UNRESOLVED: ['an alias * names no anchor &', 'put the value in quotes if it shall begin with *'],
};
const anySyntax = ['this is not valid YAML', 'look at indentation, quotes and colons here'] as const;

/** A YAML text with the places of its keys and values. */
export class SourceMap {
  readonly #document: Document.Parsed;
  readonly #lines = new LineCounter();
  /** Errors of syntax. */
  readonly problems: readonly Problem[];
  /** Whether the structure can be relied on in spite of the problems. */
  readonly intact: boolean;

  constructor(text: string) {
    this.#document = parseDocument(text, {
      lineCounter: this.#lines,
      prettyErrors: false,
      logLevel: 'error',
    });
    const errors = this.#document.errors.map(({ code, pos }) => ({ code: code as string, at: pos[0] }));
    visit(this.#document, {
      Alias: (_, node) => {
        if (!node.resolve(this.#document)) errors.push({ code: 'UNRESOLVED', at: node.range?.[0] ?? 0 });
      },
    });
    this.problems = errors.map(({ code, at }) => {
      const [wrong, right] = syntax[code] ?? anySyntax;
      return { ...this.#place(at), path: [], wrong, right };
    });
    this.intact = errors.every(({ code }) => code === 'DUPLICATE_KEY');
  }

  /** The content as plain values; only where it is `intact`. */
  toValue(): unknown {
    return this.#document.toJS({ maxAliasCount: 100 });
  }

  /** Where the key at the end of `path` stands, or the nearest thing around it. */
  key(path: KeyPath): Place {
    return this.#find(path, true);
  }

  /** Where the value at `path` stands, or the nearest thing around it. */
  value(path: KeyPath): Place {
    return this.#find(path, false);
  }

  #find(path: KeyPath, wantKey: boolean): Place {
    let node: unknown = this.#document.contents;
    let at = 0;
    for (const [index, part] of path.entries()) {
      const found = this.#step(node, part);
      if (!found) break;
      const last = index === path.length - 1;
      at = startOf(last && wantKey ? found.key : found.value) ?? startOf(found.key) ?? at;
      node = found.value;
    }
    return this.#place(at);
  }

  #step(
    node: unknown,
    part: string | number,
  ): { readonly key: unknown; readonly value: unknown } | undefined {
    const target = isAlias(node) ? node.resolve(this.#document) : node;
    if (isSeq(target) && typeof part === 'number') {
      const item = target.items[part];
      return item === undefined ? undefined : { key: item, value: item };
    }
    if (!isMap(target)) return undefined;
    return target.items.find(({ key }) => (isScalar(key) ? String(key.value) : key) === String(part));
  }

  #place(at: number): Place {
    const { line, col } = this.#lines.linePos(at);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  }
}

function startOf(node: unknown): number | undefined {
  return (node as Node | null | undefined)?.range?.[0];
}
