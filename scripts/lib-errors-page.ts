import { errorTable, type Fault } from '../src/base/errors.ts';
import { tableOf } from './lib-markdown.ts';

const introduction = `# Errors

Every error that Hashike states carries one of these codes, in its log lines and on the command line. The code says which part speaks, and the fault whose it is.

<!-- Written by scripts/generate-docs.ts from src/base/errors.ts: change that and run \`node scripts/generate-docs.ts\`. -->
`;

const bands: readonly (readonly [prefix: string, part: string])[] = [
  ['HSK-10', 'General'],
  ['HSK-11', 'Wire'],
  ['HSK-12', 'Topics'],
  ['HSK-20', 'Sessions'],
  ['HSK-21', 'Links'],
  ['HSK-22', 'Spool'],
  ['HSK-23', 'Profiles'],
  ['HSK-24', 'Configuration'],
  ['HSK-30', 'Broker'],
  ['HSK-31', 'Client'],
  ['HSK-40', 'Inlets'],
  ['HSK-41', 'Bridges'],
  ['HSK-42', 'Status'],
  ['HSK-50', 'Gateway'],
  ['HSK-60', 'Command line'],
];

const faults: Readonly<Record<Fault, string>> = {
  bug: 'ours',
  caller: 'the configuration or the command',
  peer: "the peer's bytes",
  environment: 'the surroundings',
};

/** The text of docs/errors.md. Throws where a code belongs to no band. */
export function errorsPage(): string {
  const entries = Object.entries(errorTable);
  const stray = entries.find(([code]) => !bands.some(([prefix]) => code.startsWith(prefix)));
  if (stray) throw new Error(`${stray[0]} belongs to no band of scripts/lib-errors-page.ts`);
  const sections = bands.flatMap(([prefix, part]) => {
    const rows = entries
      .filter(([code]) => code.startsWith(prefix))
      .map(([code, { fault, meaning, cure }]) => [code, meaning, faults[fault], cure]);
    if (rows.length === 0) return [];
    return [`## ${part}\n\n${tableOf([['code', 'meaning', 'fault', 'what to do'], ...rows])}\n`];
  });
  return [introduction, ...sections].join('\n');
}
