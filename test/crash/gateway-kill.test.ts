import { setTimeout as pause } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Random } from '../../firmware-sim/random.ts';
import { noDefects } from '../support/cloud-application.ts';
import { requires } from '../support/requires.ts';
import { Site } from '../support/site.ts';

const describe = requires('mosquitto');

const ROUNDS = 12;

/** HASHIKE_TEST_SEED repeats the moments of another run, as far as processes repeat anything. */
const seed = Number(process.env['HASHIKE_TEST_SEED'] ?? Date.now() % 1_000_000);

describe('kill -9 of the gateway at any moment while nodes go on', () => {
  test('loses nothing acknowledged, keeps order and makes nothing twice', { timeout: 120_000 }, async () => {
    console.log(`seed ${seed}`);
    const random = new Random(seed);
    await using site = await Site.open({
      serial: [{ names: ['node-1', 'node-2', 'node-3'], intervalMs: 10, seed }],
      coap: { names: ['coap-1'], intervalMs: 40, seed },
      tcp: { names: ['tcp-1'], intervalMs: 20 },
    });
    await site.start();
    const { gateway, broker } = site;
    let commands = 0;
    for (let round = 0; round < ROUNDS; round += 1) {
      const upstreamAway = round % 3 === 2;
      if (upstreamAway) await broker.stop();
      else await site.cloud.command('node-1', ++commands);
      // After the first acknowledgements of this run at the latest, so that every round has something to lose.
      await site.acknowledges(1 + random.below(150));
      await pause(random.below(50));
      await gateway.stop('SIGKILL');

      // And twice while it starts: in the first 100 ms, and at any moment until it is ready.
      for (const span of [100, 1000]) {
        const started = gateway.start().catch(() => undefined);
        await pause(random.below(span));
        await gateway.stop('SIGKILL');
        await started;
      }
      await gateway.start();
      if (upstreamAway) {
        if (random.chance(0.5)) await site.acknowledges(1 + random.below(50));
        await broker.start();
      }
    }
    await site.settle();
    expect(site.cloud.defects).toEqual(noDefects);
    // A crash loses no state: what was acknowledged is on disk.
    expect(gateway.log.filter(({ code }) => code === 'HSK-3008')).toEqual([]);
    for (const { node, sums } of site.ledgers) {
      expect(sums, node).toMatchObject({ rejected: 0, overflowed: 0, forgotten: 0 });
      expect(sums.acknowledged, node).toBeGreaterThan(ROUNDS);
    }
    expect((await site.status()).spool).toContainEqual({
      consumer: 'upstream/mqtt/refused',
      messages: 0,
      bytes: 0,
    });
    // The broker gives a command again that it has no PUBACK for; its number tells.
    const numbers = Array.from({ length: commands }, (_, index) => index + 1);
    expect([...new Set(site.commandsOf('node-1'))]).toEqual(numbers);
    console.log(
      `${site.acknowledged} acknowledged, ${site.cloud.consumer.repeated} repeated under their identifier`,
    );
  });
});
