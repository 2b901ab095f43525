import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { stringify } from 'yaml';
import { Random } from '../../firmware-sim/random.ts';
import { GatewayProcess } from '../../firmware-sim/site/gateway-process.ts';
import { connect, encodeContent, type HashikeClient } from '../../src/client/index.ts';
import { freePort } from '../support/free-port.ts';
import { serviceFlags } from '../support/service-flags.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';
import { until } from '../support/until.ts';

const TOKEN = 'a token for the soak';
/** Clients behind each proxy: so many are cut at once. */
const BEHIND_EACH = 50;
const CONNECTING_AT_ONCE = 50;
const PATIENCE_MS = 30_000;

export interface SoakPlan {
  readonly seed: number;
  readonly clients: number;
  /** Until the memory counts. */
  readonly warmUpMs: number;
  readonly soakMs: number;
  /** Each client publishes once in this time. */
  readonly intervalMs: number;
  /** All clients behind one proxy are cut once in this time, and one visitor comes, publishes and leaves. */
  readonly cutEveryMs: number;
}

export interface SoakOutcome {
  readonly published: number;
  readonly cuts: number;
  readonly visitors: number;
  /** What was not delivered as it was published: once, and in order. */
  readonly wrong: readonly string[];
  /** Resident memory of the gateway: after the warm-up, and the median of the last quarter. MB. */
  readonly residentMb: { readonly warm: number; readonly end: number };
}

/** One of the thousand: publishes to a topic of its own, and hears that of its neighbour. */
interface Member {
  readonly client: HashikeClient;
  readonly topic: string;
  readonly heard: number[];
  published: number;
}

/** Clients in a ring, each subscribed to the next, that publish reliably while their connections are cut again and again. */
export async function soak(plan: SoakPlan): Promise<SoakOutcome> {
  await using stack = new AsyncDisposableStack();
  const random = new Random(plan.seed);
  const { gateway, port } = await startGateway(stack);
  const proxies: TcpProxy[] = [];
  for (let count = 0; count < plan.clients; count += BEHIND_EACH) {
    const proxy = await TcpProxy.open(port);
    stack.defer(() => proxy.close());
    proxies.push(proxy);
  }
  const members = await gather(plan.clients, proxies);
  stack.defer(async () => void (await Promise.all(members.map(({ client }) => client.close()))));

  const started = performance.now();
  const warm = started + plan.warmUpMs;
  const end = warm + plan.soakMs;
  const resident: { readonly at: number; readonly mb: number }[] = [];
  let cuts = 0;
  let visitors = 0;
  const unfinished = new Set(members);
  const publishing = Promise.all(
    members.map(async (member) => {
      await publishUntil(end, member, plan.intervalMs, random);
      unfinished.delete(member);
    }),
  );
  while (performance.now() < end) {
    await pause(plan.cutEveryMs);
    proxies[random.below(proxies.length)]?.cut();
    cuts += 1;
    await visit(port, (visitors += 1));
    resident.push({ at: performance.now(), mb: residentMb(gateway.pid) });
  }
  const arrival = until(
    () => unfinished.size === 0 && wrongOf(members).length === 0,
    PATIENCE_MS,
    () =>
      `everything to arrive; ${unfinished.size} publishers wait for an ACK; ${wrongOf(members).slice(0, 5).join('; ')}; seed ${plan.seed}`,
  );
  // A refused publish ends it at once.
  await Promise.race([arrival, publishing.then(() => arrival)]);
  // What comes twice would come now.
  await pause(500);
  const between = (from: number, to: number): number =>
    median(resident.filter(({ at }) => at >= from && at < to).map(({ mb }) => mb));
  const quarter = plan.soakMs / 4;
  return {
    published: members.reduce((sum, { published }) => sum + published, 0),
    cuts,
    visitors,
    wrong: wrongOf(members),
    residentMb: { warm: between(warm, warm + quarter), end: between(end - quarter, Infinity) },
  };
}

async function startGateway(
  stack: AsyncDisposableStack,
): Promise<{ readonly gateway: GatewayProcess; readonly port: number }> {
  const directory = mkdtempSync(join(tmpdir(), 'hashike-soak-'));
  stack.defer(() => rmSync(directory, { recursive: true, force: true }));
  const port = await freePort();
  const token = `sha256:${createHash('sha256').update(TOKEN).digest('hex')}`;
  const configuration = {
    gateway: {
      name: 'soak',
      stateDirectory: join(directory, 'state'),
      runtimeDirectory: join(directory, 'run'),
    },
    listen: { tcp: { port } },
    limits: { connections: 2000, unfinishedHandshakes: 2000 },
    clients: [{ name: 'soak', token, shared: true, publish: ['#'], subscribe: ['#'] }],
  };
  writeFileSync(join(directory, 'hashike.yaml'), stringify(configuration));
  const gateway = new GatewayProcess(join(directory, 'hashike.yaml'), undefined, serviceFlags());
  await gateway.start();
  stack.defer(async () => void (await gateway.stop('SIGTERM')));
  return { gateway, port };
}

async function gather(count: number, proxies: readonly TcpProxy[]): Promise<readonly Member[]> {
  const members: Member[] = [];
  while (members.length < count) {
    const names = Array.from(
      { length: Math.min(CONNECTING_AT_ONCE, count - members.length) },
      (_, index) => members.length + index,
    );
    members.push(
      ...(await Promise.all(
        names.map((index) => enter(index, count, proxies[index % proxies.length]?.port ?? 0)),
      )),
    );
  }
  return members;
}

async function enter(index: number, count: number, port: number): Promise<Member> {
  const client = await connect({ port, token: TOKEN, clientName: String(index) });
  const heard: number[] = [];
  const subscription = await client.subscribe(`soak/${(index + 1) % count}`);
  const listen = async (): Promise<void> => {
    for await (const { content } of subscription) {
      heard.push(new DataView(content.buffer, content.byteOffset).getUint32(4));
    }
  };
  listen().catch((error: unknown) => {
    throw new Error(`the subscription of ${index} broke`, { cause: error });
  });
  return { client, topic: `soak/${index}`, heard, published: 0 };
}

async function publishUntil(end: number, member: Member, intervalMs: number, random: Random): Promise<void> {
  await pause(random.fraction() * intervalMs);
  while (performance.now() < end) {
    const value = new Uint8Array(16);
    new DataView(value.buffer).setUint32(0, member.published);
    member.published += 1;
    await member.client.publish(member.topic, encodeContent([{ contentType: 0x8001, value }]));
    await pause(intervalMs * (0.5 + random.fraction()));
  }
}

async function visit(port: number, number: number): Promise<void> {
  const client = await connect({ port, token: TOKEN, clientName: `visitor-${number}` });
  await client.publish('visitors', encodeContent([]));
  await client.close();
}

function wrongOf(members: readonly Member[]): readonly string[] {
  return members.flatMap(({ heard }, index) => {
    const { topic, published } = members[(index + 1) % members.length] ?? { topic: '', published: 0 };
    const whole = heard.length === published && heard.every((number, place) => number === place);
    return whole ? [] : [`${topic}: of ${published} came ${heard.length}`];
  });
}

function residentMb(pid: number | undefined): number {
  const [, kilobytes = '0'] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kilobytes) / 1024;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
