/**
 * Measures the gateway beside other brokers; see docs/performance.md.
 *
 *     npm run bench -- --help
 */
import { parseArgs } from 'node:util';
import { pinLoad } from './peers/broker-process.ts';
import { buildGateway, installed, peerNames } from './peers/peer.ts';
import { cells, machine, type Row, rowOf, tableHead } from './report.ts';
import { works } from './works/all.ts';
import type { Effort } from './works/work.ts';

const usage = `Usage: npm run bench -- [options]

Builds the gateway, runs it, nats-server, mosquitto and aedes in turns on loopback, and prints each figure beside its bar.
CPU times are those of the broker's process, from the operating system; figures are medians of the rounds.
With HASHIKE_BENCH_PROFILES=FOLDER in the environment each gateway leaves a CPU profile there.

  --rounds N       rounds of each work (5)
  --work ID,ID     only these: ${works.map(({ id }) => id).join(' ')}
  --quick          one short round, fewer sessions and subscriptions: whether it works, not how fast
  --json           an array of {work, figure, unit, ours, peers, bar, met, rule, spread} instead of the table`;

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string' },
    work: { type: 'string' },
    quick: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

const thorough: Effort = {
  rounds: 5,
  turnSeconds: 1,
  sessions: 10_000,
  subscriptions: 100_000,
  settleMs: 10_000,
};
const quick: Effort = { rounds: 1, turnSeconds: 0.1, sessions: 200, subscriptions: 1000, settleMs: 400 };

function fail(text: string): never {
  console.error(text);
  process.exit(2);
}

function effort(): Effort {
  const base = options.quick ? quick : thorough;
  if (options.rounds === undefined) return base;
  const rounds = Number(options.rounds);
  return rounds >= 1 && Number.isInteger(rounds)
    ? { ...base, rounds }
    : fail(`--rounds takes a number from 1 up`);
}

async function run(): Promise<void> {
  const chosen = options.work?.split(',') ?? works.map(({ id }) => id);
  const unknown = chosen.filter((wanted) => !works.some(({ id }) => id === wanted));
  if (unknown.length > 0) fail(`--work does not know ${unknown.join(', ')}\n\n${usage}`);
  const there = installed(peerNames);
  for (const name of peerNames) {
    if (!there.includes(name))
      console.error(`${name} is not installed and is left out: apt-get install ${name}`);
  }
  buildGateway();
  pinLoad();
  console.error(machine());
  const rows: Row[] = [];
  const much = effort();
  if (!options.json) printLine(tableHead);
  for (const work of works.filter(({ id }) => chosen.includes(id))) {
    const measured = await work.measure(
      work.peers.filter((name) => there.includes(name)),
      much,
    );
    for (const measurement of measured) {
      const row = rowOf(measurement);
      rows.push(row);
      if (options.json) console.error(cells(row).join(' | '));
      else printLine(cells(row));
    }
  }
  if (options.json) console.log(JSON.stringify(rows, undefined, 1));
  else console.log(`${rows.filter(({ met }) => met === true).length} of ${rows.length} bars met`);
}

const widths = [42, 40, 20, 9, 10, 70];

function printLine(texts: readonly string[]): void {
  console.log(
    texts
      .map((text, index) => text.padEnd(widths[index] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}

if (options.help) console.log(usage);
else await run();
