import { expect, test } from 'vitest';
import { noDefects } from '../support/cloud-application.ts';
import { requires } from '../support/requires.ts';
import { Site } from '../support/site.ts';

const describe = requires('mosquitto');

/** Stops the gateway by SIGTERM; gives the milliseconds that it took. */
async function stop({ gateway }: Site): Promise<number> {
  const start = performance.now();
  expect(await gateway.stop('SIGTERM')).toBe(0);
  return performance.now() - start;
}

describe('SIGTERM', () => {
  test('ends the gateway within 5 s and with exit code 0, and nodes resume after the restart', async () => {
    await using site = await Site.open({
      serial: [{ names: ['node-1', 'node-2'], intervalMs: 10 }],
      coap: { names: ['coap-1'] },
    });
    await site.start();
    await site.acknowledges(100);
    expect(await stop(site)).toBeLessThan(5000);
    await site.gateway.start();
    await site.acknowledges(100);

    // With an upstream that has gone, and with one that answers nothing any more.
    await site.broker.stop();
    await site.acknowledges(50);
    expect(await stop(site)).toBeLessThan(5000);
    await site.broker.start();
    await site.gateway.start();
    await site.settle();
    site.broker.freeze();
    await site.acknowledges(100);
    expect(await stop(site)).toBeLessThan(5000);
    site.broker.thaw();
    await site.gateway.start();

    await site.acknowledges(20, 'node-1');
    await site.acknowledges(20, 'node-2');
    await site.acknowledges(5, 'coap-1');
    await site.settle();
    expect(site.cloud.defects).toEqual(noDefects);
    for (const { node } of site.nodes) expect(node.ledger.counts.get('connected'), node.name).toBe(1);
    expect(site.cloud.states.at(0)).toBe('online');
    expect(site.cloud.states).toContain('offline');
    expect(site.cloud.states.at(-1)).toBe('online');
  });
});
