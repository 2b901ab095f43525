import { expect, test } from 'vitest';
import { noDefects } from '../support/cloud-application.ts';
import { requires } from '../support/requires.ts';
import { Site } from '../support/site.ts';
import { until } from '../support/until.ts';

const describe = requires('mosquitto');

/** Commands `count` more by number, after those that were sent already. */
class Commander {
  readonly sent: number[] = [];
  readonly #site: Site;
  readonly #node: string;

  constructor(site: Site, node: string) {
    this.#site = site;
    this.#node = node;
  }

  async send(count: number): Promise<void> {
    for (let index = 0; index < count; index += 1) {
      this.sent.push(this.sent.length + 1);
      await this.#site.cloud.command(this.#node, this.sent.length);
    }
  }

  /** Waits until the node has got as many, and until the cloud has an answer to each. */
  async expectAll(): Promise<void> {
    await until(
      () => this.#site.commandsOf(this.#node).length >= this.sent.length,
      20_000,
      () =>
        `${this.sent.length} commands to ${this.#node}; it got ${String(this.#site.commandsOf(this.#node))}\n${this.#site.gateway.lastLines()}`,
    );
    await this.#site.settle();
    expect(this.#site.commandsOf(this.#node)).toEqual(this.sent);
    expect(this.#site.cloud.answers.get(this.#node)).toEqual(this.sent);
  }
}

/** Waits until so many commands lie on disk for a node. */
async function waiting(site: Site, node: string, count: number): Promise<void> {
  await until(
    async () =>
      (await site.status()).spool.some(
        ({ consumer, messages }) => consumer === `client/${node}` && messages === count,
      ),
    5000,
    `${count} commands in custody`,
  );
}

describe('commands from the cloud', () => {
  test.concurrent('reach a serial node in order and once, also those sent while the node or the gateway was away', async () => {
    await using site = await Site.open({ serial: [{ names: ['node-1', 'node-2'] }] });
    await site.start();
    await site.acknowledges(5, 'node-1');
    const commander = new Commander(site, 'node-1');
    await commander.send(20);
    await commander.expectAll();

    const [first] = site.nodes;
    first?.node.stop();
    await commander.send(10);
    first?.node.start();
    await commander.send(10);
    await commander.expectAll();

    first?.pty.unplug();
    await commander.send(10);
    first?.pty.plug();
    await commander.expectAll();

    expect(await site.gateway.stop('SIGTERM')).toBe(0);
    await commander.send(40);
    await site.gateway.start();
    await commander.send(10);
    await commander.expectAll();

    // In the gateway's custody when it is killed, and the node away.
    first?.node.stop();
    await commander.send(10);
    await waiting(site, 'node-1', 10);
    await site.gateway.stop('SIGKILL');
    await site.gateway.start();
    first?.node.start();
    await commander.expectAll();

    expect(site.commandsOf('node-2')).toEqual([]);
    expect(site.cloud.defects).toEqual(noDefects);
  });

  test.concurrent('reach an observing CoAP device in order and once, also those sent while it or the gateway was away', async () => {
    await using site = await Site.open({ coap: { names: ['coap-1'] } });
    await site.start();
    await site.acknowledges(5, 'coap-1');
    await until(
      async () => JSON.stringify((await site.status()).links).includes('"observers":1'),
      5000,
      'an observation',
    );
    const commander = new Commander(site, 'coap-1');
    const [device] = site.coap.devices;
    await commander.send(100);
    await commander.expectAll();
    await waiting(site, 'coap-1', 0);

    device?.stop();
    await commander.send(10);
    await waiting(site, 'coap-1', 10);
    device?.start();
    await commander.send(10);
    await commander.expectAll();

    expect(await site.gateway.stop('SIGTERM')).toBe(0);
    await commander.send(40);
    await site.gateway.start();
    await commander.send(10);
    await commander.expectAll();

    // In the gateway's custody when it is killed, and the device away.
    device?.stop();
    await commander.send(10);
    await waiting(site, 'coap-1', 10);
    await site.gateway.stop('SIGKILL');
    await site.gateway.start();
    device?.start();
    await commander.expectAll();
    await waiting(site, 'coap-1', 0);

    // The device tells commands by their numbers, but it had no need to: each came in one notification.
    expect(site.ledger('coap-1').counts.get('repeated-command')).toBeUndefined();
    expect(site.cloud.defects).toEqual(noDefects);
  });
});
