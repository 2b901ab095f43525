/**
 * Writes the figures of a run into docs/performance.md:
 *
 *     npm run -s bench -- --json > figures.json && npx -c 'node test/bench/performance-page.ts figures.json'
 */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { cells, machine, type Row, tableHead } from './report.ts';

const page = fileURLToPath(new URL('../../docs/performance.md', import.meta.url));
const begin = '<!-- figures -->';
const end = '<!-- end of figures -->';

const [file] = process.argv.slice(2);
if (file === undefined) {
  console.error('usage: performance-page.ts FILE (what `npm run -s bench -- --json` printed)');
  process.exit(2);
}
const rows = JSON.parse(readFileSync(file, 'utf8')) as readonly Row[];
const text = readFileSync(page, 'utf8');
const [before, rest = ''] = text.split(begin);
const [, after] = rest.split(end);
if (before === undefined || after === undefined) throw new Error(`${page} lacks ${begin} or ${end}`);

const line = (texts: readonly string[]): string => `| ${texts.join(' | ')} |`;
const figures = [
  `Measured on ${machine()}, with the brokers on one processor and the load on the other. Figures are medians of the rounds, with least and most in brackets.`,
  '',
  line(tableHead),
  line(tableHead.map(() => '---')),
  ...rows.map((row) => line(cells(row))),
  '',
  `${rows.filter(({ met }) => met === true).length} of ${rows.length} bars are met.`,
];
writeFileSync(page, `${before}${begin}\n\n${figures.join('\n')}\n\n${end}${after}`);
spawnSync('oxfmt', [page], { stdio: 'inherit' });
