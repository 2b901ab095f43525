import { setImmediate } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Counters } from '../../../src/base/counters.ts';
import { silentLog } from '../../../src/base/log.ts';
import { systemRandom } from '../../../src/base/random.ts';
import { Access } from '../../../src/broker/access.ts';
import { Broker } from '../../../src/broker/broker.ts';
import { Connections } from '../../../src/broker/connections.ts';
import { configSchema } from '../../../src/config/schema.ts';
import type { Link, LinkHandler } from '../../../src/links/link.ts';
import { compileProfiles } from '../../../src/profiles/profiles.ts';
import { encodeMessage } from '../../../src/wire/long-form.ts';
import { clientConfig } from '../../support/broker-house.ts';
import { collectGarbage } from '../../support/garbage.ts';
import { streamCapabilities } from '../../support/memory-link.ts';
import { MemorySpool } from '../../support/memory-spool.ts';
import { connectToken } from '../../support/peer.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

const SESSIONS = 1000;
/** The broker's part alone, without the socket. A session takes 3.1 KB; with an object of closures or an empty map for each of its parts it was 12 KB. */
const MOST_BYTES_EACH = 6000;

/** A link on which nothing is heard but what the test says. */
class QuietLink implements Link {
  readonly name = 'quiet';
  readonly peer = 'quiet';
  readonly capabilities = streamCapabilities;
  readonly queuedBytes = 0;
  handler: LinkHandler | undefined;
  answers = 0;

  start(handler: LinkHandler): void {
    this.handler = handler;
  }

  send(): boolean {
    this.answers += 1;
    return true;
  }

  pause(): void {}
  resume(): void {}
  close(): void {}
}

function openConnections(): Connections {
  const clients = [clientConfig('fleet', { shared: true })];
  const access = new Access(clients);
  const limits = { ...configSchema.shape.limits.parse(undefined), connections: 2 * SESSIONS };
  const common = {
    access,
    clock: new VirtualClock(),
    random: systemRandom,
    counters: new Counters(),
    log: silentLog,
    spool: new MemorySpool(),
    limits,
  };
  const profiles = compileProfiles({ profiles: {}, clients });
  return new Connections({ ...common, broker: new Broker(common), profiles });
}

async function connected(connections: Connections, names: readonly string[]): Promise<QuietLink[]> {
  const links = names.map((clientName) => {
    const link = new QuietLink();
    connections.accept(link);
    link.handler?.frame(encodeMessage(connectToken('fleet', { clientName })));
    return link;
  });
  await setImmediate();
  return links;
}

/** Bytes of the heap that are in use. */
function heapBytes(): number {
  collectGarbage();
  return process.memoryUsage().heapUsed;
}

test('a session that is connected and idle takes a few kilobytes', async () => {
  const connections = openConnections();
  await connections.open();
  const names = (prefix: string): string[] =>
    Array.from({ length: SESSIONS / 20 }, (_, n) => `${prefix}${n}`);
  // What is compiled and made once is there afterwards.
  const links = await connected(connections, names('warm'));
  const before = heapBytes();
  for (let batch = 0; batch < 20; batch += 1) {
    links.push(...(await connected(connections, names(`c${batch}-`))));
  }
  const each = (heapBytes() - before) / SESSIONS;
  expect(links.every(({ answers }) => answers === 1)).toBe(true);
  expect(connections.describe().filter(({ state }) => state === 'connected')).toHaveLength(links.length);
  expect(each).toBeLessThan(MOST_BYTES_EACH);
  connections.close();
});
