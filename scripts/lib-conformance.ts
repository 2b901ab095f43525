import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { allEvidence, type Clause, clausesOf, type Evidence, readersOf, vectorFiles } from './lib-clauses.ts';
import { type Finding, repositoryRoot } from './lib-findings.ts';
import { tableOf } from './lib-markdown.ts';

/** Clauses that no test can or need show, and why. A clause that has a test must not stand here. */
const argued: Readonly<Record<string, string>> = {
  '1.1': 'an overview: the clauses that it sums up are tested',
  '1.2': 'an overview: the clauses that it sums up are tested',
  '2.4': 'a definition of words',
  '5.4.4':
    'a matter of timing, which a test would measure only with luck: `src/broker` compares hashes with `timingSafeEqual`',
  '7.3': 'reserved: this version has no bus links',
};

interface Implementation {
  readonly name: string;
  /** Its tests are those whose paths begin so. */
  readonly tests: string;
  /** Vectors of what it does not speak, and why. */
  readonly without: Readonly<Record<string, string>>;
}

const ofStreams = {
  'stream.json': 'a node has frames, not a stream',
  'datagram.json': 'a node on a wire has no datagrams',
  'packet-number.json': 'a node on a wire has no datagrams',
};

/** Who tests itself against the vectors. The client SDK has no codec of its own: it imports that of `src/wire`. */
const implementations: readonly Implementation[] = [
  { name: 'src/wire, for gateway and SDK', tests: 'test/unit/wire/', without: {} },
  { name: 'firmware-sim', tests: 'test/unit/firmware-sim/vectors', without: ofStreams },
  {
    name: 'the node in C',
    tests: 'test/unit/firmware-sim/node-c',
    without: { ...ofStreams, 'layout.json': 'its application writes the content' },
  },
];

export interface Conformance {
  readonly clauses: readonly Clause[];
  readonly evidence: readonly Evidence[];
  readonly argued: Readonly<Record<string, string>>;
}

/** Clauses and tests as they stand. */
export function currentConformance(): Conformance {
  const specification = readFileSync(join(repositoryRoot, 'docs/protocol.md'), 'utf8');
  return { clauses: clausesOf(specification), evidence: allEvidence(), argued };
}

/** Clauses that lost their test, citations of clauses that are not there, and arguments that are no longer needed. */
export function conformanceFindings({ clauses, evidence, argued }: Conformance): readonly Finding[] {
  const numbers = clauses.map(({ number }) => number);
  const cited = new Set(evidence.map(({ clause }) => clause));
  const page = { path: 'docs/protocol.md', line: 1 };
  return [
    ...clauses
      .filter(({ number }) => !cited.has(number) && !(number in argued))
      .map(({ number, says }) => ({
        ...page,
        rule: `clause ${number} has no test (${says})`,
        cure: `Cite it in the name of a test that shows it, as in '${number}: what happens'`,
      })),
    ...evidence
      .filter(({ clause }) => !numbers.some((number) => number === clause || number.startsWith(`${clause}.`)))
      .map(({ clause, path, line }) => ({
        path,
        line,
        rule: `clause ${clause} is cited, which docs/protocol.md does not have`,
        cure: 'Cite the clause that says it now',
      })),
    ...Object.keys(argued)
      .filter((number) => cited.has(number) || !numbers.includes(number))
      .map((number) => ({
        path: 'scripts/lib-conformance.ts',
        line: 1,
        rule: `clause ${number} is excused from having a test, but has one or is gone`,
        cure: 'Take it off the list',
      })),
  ];
}

/** Files of vectors that an implementation does not test itself against. */
export function vectorFindings(files = vectorFiles()): readonly Finding[] {
  return files.flatMap((file) =>
    implementations
      .filter(({ tests, without }) => readersOf(file, tests).length === 0 && !(file in without))
      .map(({ name, tests }) => ({
        path: `test/vectors/${file}`,
        line: 1,
        rule: `${name} is not tested against it`,
        cure: `Read it in ${tests}*.test.ts`,
      })),
  );
}

/** docs/conformance.md. */
export function conformancePage(): string {
  const { clauses, evidence, argued } = currentConformance();
  const byClause = Map.groupBy(evidence, ({ clause }) => clause);
  const rows = clauses.flatMap(({ number, says }) => {
    const found = byClause.get(number) ?? [];
    const [first = { path: '', name: number in argued ? '' : 'NONE' }, ...more] = found;
    return [[number, says, first.path, first.name], ...more.map(({ path, name }) => ['', '', path, name])];
  });
  const without = clauses.filter(({ number }) => !byClause.has(number));
  const covered = clauses.length - without.length;
  return `${[
    '# Conformance',
    'Which test shows which clause of [protocol.md](protocol.md). A test cites a clause in its name, `5.3.3: …` or `… (5.3.3)`, and a vector in its field `clause`. A suite that cites a clause cites it for its tests; one that cites a whole chapter, such as 5.1, shows no clause.',
    '<!-- Written by scripts/generate-docs.ts from the names of the tests: change these and run `node scripts/generate-docs.ts`. -->',
    `${covered} of ${clauses.length} clauses have tests. \`node scripts/check-conformance.ts\` fails when a clause loses its last one.`,
    '## Clauses without a test',
    tableOf([
      ['clause', 'says', 'why'],
      ...without.map(({ number, says }) => [number, says, argued[number] ?? 'NONE YET']),
    ]),
    '## Vectors',
    'The bytes of [test/vectors](../test/vectors/README.md) are the same for every implementation. The client SDK has no codec of its own: it uses that of `src/wire`, as the gateway does.',
    tableOf([
      ['vectors', ...implementations.map(({ name }) => name)],
      ...vectorFiles().map((file) => [file, ...implementations.map((each) => readersText(file, each))]),
    ]),
    '## Clauses and their tests',
    tableOf([['clause', 'says', 'file', 'test'], ...rows]),
  ].join('\n\n')}\n`;
}

function readersText(file: string, { tests, without }: Implementation): string {
  const readers = readersOf(file, tests).map((path) => basename(path));
  return readers.length > 0 ? readers.join(', ') : (without[file] ?? 'NONE');
}
