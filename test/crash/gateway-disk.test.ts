import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { noDefects } from '../support/cloud-application.ts';
import { requires } from '../support/requires.ts';
import { Site } from '../support/site.ts';
import { until } from '../support/until.ts';

const describe = requires('mosquitto', 'root');

/** More than the reserve that the spool leaves free, which is 32 MiB. */
const DISK_BYTES = 48 * 1024 * 1024;

/** A disk of its own, in memory. */
class SmallDisk implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), 'hashike-disk-'));

  constructor() {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK_BYTES}`, 'hashike-test', this.path]);
  }

  /** Takes all room but `left` bytes, whatever others write meanwhile. */
  fill(left: number): void {
    const { bavail, bsize } = statfsSync(this.path);
    try {
      writeFileSync(join(this.path, 'ballast'), new Uint8Array(Math.max(0, bavail * bsize - left)));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    }
  }

  clear(): void {
    rmSync(join(this.path, 'ballast'), { force: true });
  }

  [Symbol.dispose](): void {
    execFileSync('umount', ['--lazy', this.path]);
    rmSync(this.path, { recursive: true });
  }
}

/** Waits until for one second no reading was acknowledged, while the nodes made more. */
async function expectHeldBack(site: Site): Promise<void> {
  let last = { acknowledged: -1, made: 0, at: 0 };
  await until(
    () => {
      const { acknowledged } = site;
      const made = site.ledgers.reduce((sum, { sums }) => sum + sums.made, 0);
      if (acknowledged !== last.acknowledged) last = { acknowledged, made, at: performance.now() };
      return performance.now() > last.at + 1000 && made >= last.made + 20;
    },
    15_000,
    'readings that pile up in the nodes',
  );
}

describe('room that runs out', () => {
  test.concurrent.for([
    { name: 'a disk that is full but for the reserve of the spool', left: 30 * 1024 * 1024 },
    { name: 'a disk that is full to the last byte', left: 0 },
  ])('$name holds nodes back and loses nothing acknowledged', async ({ left }) => {
    using disk = new SmallDisk();
    await using site = await Site.open({
      serial: [{ names: ['node-1', 'node-2'] }],
      coap: { names: ['coap-1'] },
      stateDirectory: join(disk.path, 'state'),
    });
    await site.start();
    await site.broker.stop();
    await site.acknowledges(50);
    disk.fill(left);
    await expectHeldBack(site);
    expect(
      site.gateway.log.some((line) => line['code'] === 'HSK-2205' || line.msg.includes('HSK-2205')),
    ).toBe(true);
    // What was acknowledged before survives a crash on the full disk.
    await site.gateway.stop('SIGKILL');
    disk.clear();
    await site.gateway.start();
    await site.acknowledges(50);
    disk.fill(left);
    await expectHeldBack(site);
    disk.clear();
    await site.acknowledges(50);
    await site.broker.start();
    await site.settle();
    expect(site.cloud.defects).toEqual(noDefects);
    for (const { node, sums } of site.ledgers)
      expect(sums, node).toMatchObject({ rejected: 0, overflowed: 0, forgotten: 0 });
  });

  test.concurrent('a queue at its quota holds nodes back until the upstream takes from it, and loses nothing acknowledged', async () => {
    await using site = await Site.open({
      serial: [{ names: ['node-1', 'node-2'], intervalMs: 5 }],
      coap: { names: ['coap-1'] },
      adapt: (configuration) => ({ ...configuration, spool: { maxBytesPerConsumer: 65_536 } }),
    });
    await site.start();
    await site.broker.stop();
    // Nodes that are still connecting are not held back.
    await site.acknowledges(50);
    await expectHeldBack(site);
    const queue = (await site.status()).spool.find(({ consumer }) => consumer === 'upstream/mqtt');
    expect(queue?.bytes).toBeGreaterThan(60_000);
    expect(queue?.bytes).toBeLessThan(80_000);
    await site.broker.start();
    await site.settle();
    expect(site.cloud.defects).toEqual(noDefects);
    for (const { node, sums } of site.ledgers)
      expect(sums, node).toMatchObject({ rejected: 0, overflowed: 0, forgotten: 0 });
  });
});
