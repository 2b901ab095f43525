import { parseArgs } from 'node:util';
import { type Account, DemoSite, pause } from './site.ts';
import { screen } from './view.ts';

const HELP = `scripts/demo: a gateway with simulated nodes and a broker that plays the cloud

  --for TIME   run unattended for so long, such as 20s or 2m, then print the account
  --cut TIME   unattended: pull the uplink's cable for so long, after a third of the time
  --json       print the account as one JSON line, last
  --help

Exit code 0: nothing that was acknowledged was lost, and nothing came twice.
`;
const SETTLE_MS = 15_000;
const COMMAND_INTERVAL_MS = 1000;
const REDRAW_MS = 300;
const REPORT_MS = 5000;

interface Options {
  readonly forMs: number | undefined;
  readonly cutMs: number | undefined;
  readonly json: boolean;
}

function options(args: readonly string[]): Options | undefined {
  const { values } = parseArgs({
    args: [...args],
    options: {
      for: { type: 'string' },
      cut: { type: 'string' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return undefined;
  const forMs = duration('--for', values.for);
  const cutMs = duration('--cut', values.cut);
  if (cutMs !== undefined && forMs === undefined) throw new TypeError('--cut goes with --for');
  if (cutMs !== undefined && forMs !== undefined && cutMs > forMs / 2) {
    throw new TypeError(
      '--cut may last half of --for at most, so that there is something to see before and after',
    );
  }
  return { forMs, cutMs, json: values.json };
}

function duration(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const [, number, unit] = /^(\d+)(ms|s|m)$/.exec(text) ?? [];
  const factor = { ms: 1, s: 1000, m: 60_000 }[unit ?? ''];
  if (number === undefined || factor === undefined)
    throw new TypeError(`${name} takes a time such as 20s, not ${text}`);
  return Number(number) * factor;
}

/** Runs the site until the time is over or somebody quits, and gives the account. */
async function run({ forMs, cutMs, json }: Options): Promise<Account> {
  const site = await DemoSite.start();
  const started = performance.now();
  const failures: unknown[] = [];
  const attempt = (action: Promise<void>): void => {
    action.catch((error: unknown) => failures.push(error));
  };
  const timers = [setInterval(() => attempt(site.command()), COMMAND_INTERVAL_MS)];
  const live = process.stdout.isTTY && !json;
  const draw = async (): Promise<void> => {
    const text = await screen(site, Math.round((performance.now() - started) / 1000));
    process.stdout.write(live ? `\u001B[H\u001B[J${text}` : text);
  };
  try {
    if (!json) timers.push(setInterval(() => attempt(draw()), live ? REDRAW_MS : REPORT_MS));
    if (forMs === undefined) await untilQuit(site, attempt);
    else await unattended(site, forMs, cutMs);
    for (const timer of timers) clearInterval(timer);
    await site.plug();
    await site.settle(SETTLE_MS);
    const { account } = site;
    if (failures.length > 0)
      throw new AggregateError(failures, `${failures.length} steps failed:\n${site.lastLogLines()}`);
    return account;
  } finally {
    for (const timer of timers) clearInterval(timer);
    await site.stop();
  }
}

async function unattended(site: DemoSite, forMs: number, cutMs: number | undefined): Promise<void> {
  const before = forMs / 3;
  await pause(before);
  if (cutMs !== undefined) {
    await site.unplug();
    await pause(cutMs);
    await site.plug();
  }
  await pause(Math.max(0, forMs - before - (cutMs ?? 0)));
}

/** Keys in a terminal; without one, until SIGINT or SIGTERM. */
async function untilQuit(site: DemoSite, attempt: (action: Promise<void>) => void): Promise<void> {
  const { stdin } = process;
  await new Promise<void>((resolve) => {
    process.once('SIGINT', () => resolve());
    process.once('SIGTERM', () => resolve());
    if (!stdin.isTTY) return;
    stdin.setRawMode(true);
    stdin.on('data', (data) => {
      const key = String(data);
      if (key === 'q' || key === '\u0003') resolve();
      if (key === 'c') attempt(site.plugged ? site.unplug() : site.plug());
      if (key === 'k') attempt(site.crash());
    });
  });
  if (stdin.isTTY) stdin.setRawMode(false);
  stdin.pause();
}

function print(account: Account, json: boolean): void {
  if (json) {
    process.stdout.write(`${JSON.stringify(account)}\n`);
    return;
  }
  const { made, acknowledged, delivered, lost, duplicated, commands, answered } = account;
  process.stdout.write(
    [
      `${made} readings made, ${acknowledged} acknowledged, ${delivered} delivered: ${lost} lost, ${duplicated} doubled; ${answered} of ${commands} commands answered`,
      'next: sudo scripts/install puts the gateway on this machine; edit /etc/hashike/hashike.yaml; docs/operations.md tells the rest',
      '',
    ].join('\n'),
  );
}

try {
  const chosen = options(process.argv.slice(2));
  if (chosen) {
    const account = await run(chosen);
    print(account, chosen.json);
    process.exitCode = account.lost === 0 && account.duplicated === 0 && account.delivered > 0 ? 0 : 1;
  } else {
    process.stdout.write(HELP);
  }
} catch (error) {
  process.stderr.write(`scripts/demo: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = error instanceof TypeError ? 2 : 1;
}
