import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { parseSync } from 'oxc-parser';
import { listSources, repositoryRoot } from './lib-findings.ts';
import { firstArgument, nameOf, type Node, walk } from './lib-syntax.ts';

/** One numbered rule of docs/protocol.md. */
export interface Clause {
  readonly number: string;
  /** Its first words. */
  readonly says: string;
}

/** What shows that a clause holds: a test, or the vectors of a file. */
export interface Evidence {
  readonly clause: string;
  /** From the root of the repository. */
  readonly path: string;
  /** Counted from 1. */
  readonly line: number;
  /** The name of the test without its citation, or how many vectors there are. */
  readonly name: string;
}

const NUMBER = String.raw`\d+(?:\.\d+){0,2}`;
const LIST = String.raw`${NUMBER}(?:(?:, | and )${NUMBER})*`;
/** `5.3.3: what the test is about`, `what it is about (5.1.3, 6.3.1)`, `(clause 6.2)`, `(clause 6.3.2, RFC 6298)`. */
const citations = [
  new RegExp(String.raw`^(?:clauses? )?(?<list>\d+\.\d+${NUMBER.slice(3)}(?:, \d+\.${NUMBER})*): `),
  new RegExp(String.raw`\((?:clauses? )?(?<list>${LIST})(?:, RFC \d+)?\)`),
];

/** The numbered paragraphs, rows and tables of the specification, in order. */
export function clausesOf(specification: string): readonly Clause[] {
  const clauses: Clause[] = [];
  const lines = specification.replaceAll(/^```[^`]*^```$/gm, '').split('\n');
  for (const [index, line] of lines.entries()) {
    const paragraph = /^(\d+\.\d+(?:\.\d+)?) (.+)/.exec(line);
    const row = /^\| (\d+\.\d+) +\| ([^|]+?) +\| ([^|]+?) +\|/.exec(line);
    const heading = /^#{2,3} (\d+(?:\.\d+)?) (.+)/.exec(line);
    if (paragraph) clauses.push(clauseOf(paragraph[1], paragraph[2]));
    else if (row) clauses.push(clauseOf(row[1], `${row[2]}: ${row[3]}`));
    else if (heading && startsTable(lines, index + 1))
      clauses.push(clauseOf(heading[1], `the table of ${heading[2]}`));
  }
  return clauses;
}

function clauseOf(number = '', text = ''): Clause {
  const words = text.replaceAll(/[*`]/g, '').split(/(?<=\.) /)[0] ?? '';
  return { number, says: words.length > 90 ? `${words.slice(0, 87).trimEnd()} …` : words };
}

/** Whether a table without numbered rows stands between a heading and the next numbered paragraph or heading. */
function startsTable(lines: readonly string[], from: number): boolean {
  for (const line of lines.slice(from)) {
    if (/^(#|\d+\.\d+)/.test(line) || line.startsWith('| clause ')) return false;
    if (line.startsWith('| ')) return true;
  }
  return false;
}

/** The clauses that a test's name, or a suite's, cites. */
export function citedIn(name: string): readonly string[] {
  return citations.flatMap((pattern) => pattern.exec(name)?.groups?.['list']?.split(/, | and /) ?? []);
}

/** Every citation in the test files and the vectors. */
export function allEvidence(): readonly Evidence[] {
  const tests = listSources(['test']).filter((path) => /(\.test|-contract)\.ts$/.test(path));
  const inTests = tests.flatMap((path) =>
    evidenceIn(relative(repositoryRoot, path), readFileSync(path, 'utf8')),
  );
  return [...inTests, ...vectorFiles().flatMap(evidenceOfVectors)];
}

/** The citations in one test file. A suite's stands for all its tests. */
export function evidenceIn(path: string, text: string): readonly Evidence[] {
  const found: Evidence[] = [];
  walk(parseSync(path, text).program, undefined, '', (node) => {
    const name = testName(node);
    for (const clause of name === undefined ? [] : citedIn(name)) {
      const line = text.slice(0, node.start).split('\n').length;
      found.push({ clause, path, line, name: withoutCitation(name ?? '') });
    }
  });
  return found;
}

/** The name that a call of `test`, `it` or `describe`, or of their `each`, gives. */
function testName(node: Node): string | undefined {
  if (node.type !== 'CallExpression') return undefined;
  const callee = node['callee'] as Node;
  const called = nameOf(callee) ?? nameOf(callee['callee']) ?? '';
  if (!/^(test|it|describe)(\.\w+)*$/.test(called)) return undefined;
  const name = firstArgument(node) as Node | undefined;
  if (name?.type === 'Literal' && typeof name['value'] === 'string') return name['value'];
  return undefined;
}

function withoutCitation(name: string): string {
  return citations.reduce((rest, pattern) => rest.replace(pattern, ''), name).trim();
}

/** Names of the files of test/vectors, with their extension. */
export function vectorFiles(): readonly string[] {
  return readdirSync(join(repositoryRoot, 'test/vectors')).filter((name) => name.endsWith('.json'));
}

function evidenceOfVectors(file: string): readonly Evidence[] {
  const path = `test/vectors/${file}`;
  const vectors = JSON.parse(readFileSync(join(repositoryRoot, path), 'utf8')) as readonly {
    clause: string;
  }[];
  const byClause = Map.groupBy(vectors, ({ clause }) => clause);
  return [...byClause].map(([clause, { length }]) => ({
    clause,
    path,
    line: 1,
    name: length === 1 ? '1 vector' : `${length} vectors`,
  }));
}

/** The unit tests, of those whose paths begin with `begin`, that read a file of vectors, by a string that names it. */
export function readersOf(file: string, begin: string): readonly string[] {
  const stem = file.replace('.json', '');
  return listSources(['test/unit'])
    .map((path) => relative(repositoryRoot, path))
    .filter((path) => path.startsWith(begin) && path.endsWith('.test.ts'))
    .filter((path) => {
      const text = readFileSync(join(repositoryRoot, path), 'utf8');
      return text.includes('vectors') && (text.includes(`'${stem}'`) || text.includes(`'${file}'`));
    });
}
