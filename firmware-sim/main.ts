import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { realClock } from './clock.ts';
import { CoapFleet } from './coap-fleet.ts';
import { CFleet } from './node-c/c-fleet.ts';
import { addSums, type LedgerEvent } from './node/ledger.ts';
import { type BehaviourName, behaviourNames, SerialFleet } from './serial-fleet.ts';
import { configurationOf, yamlOf } from './site-plan.ts';

const help = `Runs simulated nodes for a gateway to serve: on pseudo-terminals, and CoAP devices over UDP.

  npm run sim -- [options]

  --serial N         nodes on serial lines, default 3
  --c N              nodes on serial lines that run the library in C, default 0; needs gcc and make; always at 115200,
                     with sensor and actuator, on a line without faults
  --coap N           CoAP devices, default 0
  --coap-host ADDR   address of the gateway, default ::1
  --coap-port PORT   default 5683
  --directory DIR    where the serial devices appear, default ${join(tmpdir(), 'hashike-sim')}
  --baud RATE        default 115200
  --interval MS      between two readings of a node, default 1000
  --behaviours LIST  of ${behaviourNames.join(', ')}; default sensor,actuator
  --flip P           probability that a byte on the line has a bit turned, default 0
  --drop P           probability that a byte on the line is lost, default 0
  --corrupt P        probability that a frame on the line is damaged, default 0
  --seed N           the same seed gives the same faults, default 1
  --for SECONDS      ends by itself; default: with Ctrl-C
  --json             everything as JSON lines

It begins with what the gateway's configuration needs, goes on with what the nodes do, and ends with their ledgers
as one line of JSON: made, acknowledged by the gateway, still waiting, commands taken.
`;

/** A mistake on the command line. */
class UsageError extends Error {}

interface Settings {
  readonly serial: number;
  readonly c: number;
  readonly coap: number;
  readonly coapHost: string;
  readonly coapPort: number;
  readonly directory: string;
  readonly baud: number;
  readonly intervalMs: number;
  readonly behaviours: readonly BehaviourName[];
  readonly faults: { readonly flip: number; readonly drop: number; readonly corrupt: number };
  readonly seed: number;
  readonly forMs: number | undefined;
  readonly json: boolean;
}

/** Undefined: help was asked for. Throws UsageError. */
function settingsOf(args: readonly string[]): Settings | undefined {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean' } as const;
  const { values } = readArgs(args, {
    serial: text,
    c: text,
    coap: text,
    'coap-host': text,
    'coap-port': text,
    directory: text,
    baud: text,
    interval: text,
    behaviours: text,
    flip: text,
    drop: text,
    corrupt: text,
    seed: text,
    for: text,
    json: flag,
    help: { ...flag, short: 'h' },
  });
  if (values.help === true) return undefined;
  const number = (name: keyof typeof values, fallback: number, least: number, most: number): number => {
    const given = values[name];
    const value = given === undefined ? fallback : Number(given);
    if (!(value >= least && value <= most))
      throw new UsageError(`--${name} must be a number from ${least} to ${most}, not ${String(given)}`);
    return value;
  };
  const chance = (name: 'flip' | 'drop' | 'corrupt'): number => number(name, 0, 0, 1);
  return {
    serial: Math.floor(number('serial', 3, 0, 1000)),
    c: Math.floor(number('c', 0, 0, 1000)),
    coap: Math.floor(number('coap', 0, 0, 1000)),
    coapHost: values['coap-host'] ?? '::1',
    coapPort: number('coap-port', 5683, 1, 65_535),
    directory: values.directory ?? join(tmpdir(), 'hashike-sim'),
    baud: number('baud', 115_200, 50, 4_000_000),
    intervalMs: number('interval', 1000, 1, 86_400_000),
    behaviours: (values.behaviours ?? 'sensor,actuator').split(',').map(behaviourOf),
    faults: { flip: chance('flip'), drop: chance('drop'), corrupt: chance('corrupt') },
    seed: number('seed', 1, 0, 0xffff_ffff),
    forMs: values.for === undefined ? undefined : number('for', 0, 0, 1e9) * 1000,
    json: values.json === true,
  };
}

function readArgs<const T extends NonNullable<Parameters<typeof parseArgs>[0]>['options']>(
  args: readonly string[],
  options: T,
) {
  try {
    return parseArgs({ args: [...args], options });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function behaviourOf(name: string): BehaviourName {
  const found = behaviourNames.find((known) => known === name);
  if (!found) throw new UsageError(`--behaviours: ${name} is none of ${behaviourNames.join(', ')}`);
  return found;
}

function describe(event: LedgerEvent): string {
  const time = new Date(realClock.wall()).toISOString().slice(11, 23);
  if (event.event === 'note') return `${time} ${event.node} ${event.note}`;
  if (event.event === 'command')
    return `${time} ${event.node} command ${event.number ?? event.content} on ${event.topic}`;
  return `${time} ${event.node} ${event.event} ${event.topic} ${event.sequence}`;
}

function names(kind: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${kind}-${index + 1}`);
}

async function run(settings: Settings): Promise<void> {
  const { c, coap, coapHost, coapPort, directory, json, serial } = settings;
  const say = (line: object, plain: string): void => console.log(json ? JSON.stringify(line) : plain);
  const wired = new SerialFleet(names('node', serial), directory, settings);
  const inC = new CFleet(names('c', c), directory, settings);
  const radio = await CoapFleet.open(names('coap', coap), coapHost, coapPort, settings);
  const fleets = [wired, inC, radio];
  const site = {
    serial: fleets.flatMap((fleet) => fleet.site.serial),
    clients: fleets.flatMap((fleet) => fleet.site.clients),
  };
  say({ event: 'site', ...site, configuration: configurationOf(site) }, yamlOf(site));
  const ledgers = fleets.flatMap((fleet) => fleet.ledgers);
  for (const ledger of ledgers) ledger.onEvent((event) => say(event, describe(event)));
  for (const fleet of fleets) fleet.start();
  await new Promise<void>((resolve) => {
    process.once('SIGINT', resolve);
    process.once('SIGTERM', resolve);
    if (settings.forMs !== undefined) realClock.after(settings.forMs, resolve);
  });
  for (const fleet of fleets) await fleet.stop();
  const nodes = Object.fromEntries(ledgers.map((ledger) => [ledger.node, ledger]));
  console.log(JSON.stringify({ event: 'ledger', ...addSums(ledgers), nodes }));
}

try {
  const settings = settingsOf(process.argv.slice(2));
  if (settings) await run(settings);
  else console.log(help);
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  console.error(`${error.message}\nnpm run sim -- --help says what can be given.`);
  process.exitCode = 2;
}
