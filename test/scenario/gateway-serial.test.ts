import { expect, test } from 'vitest';
import { Random } from '../../firmware-sim/random.ts';
import { setTimeout as pause } from 'node:timers/promises';
import { noDefects } from '../support/cloud-application.ts';
import { requires } from '../support/requires.ts';
import { Site } from '../support/site.ts';
import { until } from '../support/until.ts';

const describe = requires('mosquitto');

const SEED = 7858;

/** Milliseconds from the moment when the device of the node is back until a reading is acknowledged. */
async function replug(site: Site, node: Site['nodes'][number], awayMs: number): Promise<number> {
  node.pty.unplug();
  await pause(awayMs);
  const acknowledged = node.node.ledger.sums.acknowledged;
  const back = performance.now();
  node.pty.plug();
  await until(
    () => node.node.ledger.sums.acknowledged > acknowledged,
    10_000,
    () => `flow after a re-plug\n${site.gateway.lastLines()}`,
  );
  return performance.now() - back;
}

describe('a serial device that vanishes and comes back', () => {
  test('carries data again within 2 s, with and without an upstream, and loses nothing', async () => {
    console.log(`seed ${SEED}`);
    const random = new Random(SEED);
    await using site = await Site.open({ serial: [{ names: ['node-1', 'node-2'] }] });
    await site.start();
    const [node] = site.nodes;
    if (!node) throw new Error('no node');
    await site.acknowledges(10, 'node-1');
    const times: number[] = [];
    for (let round = 0; round < 8; round += 1) {
      if (round === 4) await site.broker.stop();
      times.push(await replug(site, node, random.below(500)));
      await site.acknowledges(5, 'node-1');
    }
    await site.broker.start();
    await site.settle();
    const sorted = times.toSorted((a, b) => a - b).map(Math.round);
    console.log(`flowing again after a re-plug: median ${sorted[4]} ms, at most ${sorted.at(-1)} ms`);
    expect(Math.max(...times)).toBeLessThan(2000);
    expect(site.cloud.defects).toEqual(noDefects);
    // The session was resumed each time, and never made anew.
    expect(node.node.ledger.counts.get('connected')).toBe(1);
  });
});

describe('serial lines and nodes that fail all the time', () => {
  test.concurrent('every tenth frame corrupted in both directions: every reliable reading arrives once and in order, slow and fast', async () => {
    const faults = { corrupt: 0.1 };
    await using site = await Site.open({
      serial: [
        { names: ['slow-1'], baud: 9600, intervalMs: 100, faults },
        { names: ['fast-1'], baud: 115_200, intervalMs: 20, faults },
      ],
    });
    await site.start();
    await site.acknowledges(400, 'fast-1', 30_000);
    // Two seconds of readings: the lines keep up, for all that goes wrong on them.
    expect(site.ledger('fast-1').sums.waiting).toBeLessThan(100);
    expect(site.ledger('slow-1').sums.waiting).toBeLessThan(20);
    await site.settle();
    expect(site.cloud.defects).toEqual(noDefects);
    for (const { node, line } of site.nodes) {
      expect(line.counts.toGateway.corrupted, node.name).toBeGreaterThan(5);
      expect(line.counts.toNode.corrupted, node.name).toBeGreaterThan(5);
      expect(node.ledger.sums, node.name).toMatchObject({ rejected: 0, overflowed: 0, forgotten: 0 });
    }
  });

  test.concurrent('nodes that sleep and nodes that lose their power lose nothing that was acknowledged', async () => {
    await using site = await Site.open({
      serial: [
        { names: ['sleepy-1', 'sleepy-2'], behaviours: ['sensor', 'actuator', 'sleepy'] },
        { names: ['mute-1'], behaviours: ['sensor', 'sleepy'], resumeOnWake: false },
        { names: ['rebooter-1', 'rebooter-2'], behaviours: ['sensor', 'actuator', 'rebooter'] },
      ],
    });
    await site.start();
    const happened = (node: string, what: string): number =>
      [...site.ledger(node).counts].reduce(
        (sum, [name, count]) => sum + (name.startsWith(what) ? count : 0),
        0,
      );
    await until(
      () =>
        ['sleepy-1', 'sleepy-2', 'mute-1'].every((node) => happened(node, 'sleep') >= 10) &&
        ['rebooter-1', 'rebooter-2'].every((node) => happened(node, 'reboot') >= 6),
      20_000,
      'naps and reboots',
    );
    await site.settle();
    expect(site.cloud.defects).toEqual(noDefects);
    for (const { node, sums } of site.ledgers) {
      expect(sums, node).toMatchObject({ rejected: 0, overflowed: 0 });
      expect(sums.acknowledged, node).toBeGreaterThan(40);
    }
  });
});
