import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { requires } from '../support/requires.ts';
import { Site } from '../support/site.ts';
import { until } from '../support/until.ts';

const describe = requires('mosquitto');

/** Beyond what an id8 can tell. */
const FAR_BEHIND = 300;

describe('an older copy of the state directory is put back', () => {
  test.each([
    ['a little', 20],
    ['far', FAR_BEHIND],
  ])(
    '%s behind: nodes connect anew by themselves, and what is acknowledged from then on arrives',
    async (_, behind) => {
      await using site = await Site.open({
        serial: [{ names: ['node-1', 'node-2'], intervalMs: 5 }],
        tcp: { names: ['tcp-1'], intervalMs: 10 },
      });
      await site.start();
      const { gateway, cloud, configuration } = site;
      const state = configuration.gateway.stateDirectory;
      const copy = join(site.directory, 'backup');
      const nodes = ['node-1', 'node-2'];
      await Promise.all(nodes.map((node) => site.acknowledges(20, node)));
      await gateway.stop('SIGTERM');
      cpSync(state, copy, { recursive: true });

      await gateway.start();
      await Promise.all(nodes.map((node) => site.acknowledges(behind, node)));
      await gateway.stop('SIGTERM');
      // What was acknowledged and still waited for the upstream goes with the state.
      const gone = new Set(cloud.consumer.missing(site.ledgers));
      rmSync(state, { recursive: true });
      cpSync(copy, state, { recursive: true });

      await gateway.start();
      await Promise.all([...nodes, 'tcp-1'].map((node) => site.acknowledges(100, node)));
      const missing = (): readonly string[] =>
        cloud.consumer.missing(site.ledgers).filter((reading) => !gone.has(reading));
      const acknowledged = new Set(missing());
      await until(
        () => !missing().some((reading) => acknowledged.has(reading)),
        10_000,
        () => `acknowledged and not delivered: ${missing().join(', ')}`,
      );
      for (const { node, sums, counts } of site.ledgers) {
        expect(sums, node).toMatchObject({ rejected: 0, overflowed: 0, forgotten: 0 });
        if (nodes.includes(node)) expect(counts.get('gateway-lost-state'), node).toBe(1);
      }
      expect(cloud.defects).toMatchObject({ misordered: 0, damaged: 0, mislabelled: 0, foreign: 0 });
      const losses = gateway.log.filter(({ code }) => code === 'HSK-3008');
      expect(losses.map(({ client }) => client)).toEqual(expect.arrayContaining(nodes));
      expect(losses[0]).toMatchObject({ level: 50, cure: expect.any(String) as string });
    },
  );
});
