import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { encodeMessage } from '../../src/wire/long-form.ts';
import { encodeShort } from '../../src/wire/short-form.ts';
import { clientConfig } from '../support/broker-house.ts';
import { streamCapabilities, wireCapabilities } from '../support/memory-link.ts';
import { connectToken, publish, ServedBroker, settle, subscribe } from '../support/peer.ts';
import { damaged, message, shortFrame } from '../support/wire-arbitraries.ts';

const valid = fc.oneof(message.map(encodeMessage), shortFrame.map(encodeShort));
/** What a session begins with, and what is near to it. */
const likely = fc.constantFrom(
  connectToken('wild'),
  connectToken('nobody'),
  publish('up/1', 1),
  publish('up/1', 2),
  subscribe(1, ['#']),
  subscribe(2, ['up/+'], true),
);
const frame = fc.oneof(valid, damaged(valid), likely.map(encodeMessage), fc.uint8Array({ maxLength: 40 }));
const step = fc.oneof({ weight: 5, arbitrary: frame }, { weight: 1, arbitrary: fc.nat(20_000) });

describe.each([
  ['a stream', streamCapabilities],
  ['a wire', wireCapabilities],
])('on %s', (_, capabilities) => {
  test('whatever a peer sends, nothing is thrown, and another client is served as before', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 12 }), fc.boolean(), async (steps, begins) => {
        const clients = [clientConfig('wild'), clientConfig('calm')];
        const served = await ServedBroker.open({ clients, forward: ['up/#'] });
        const calm = await served.connected('calm', { keepAlive: 60_000 });
        await calm.peer.say(subscribe(1, ['calm']));
        const wild = served.peer(capabilities);
        if (begins) await wild.say(connectToken('wild'));
        for (const each of steps) {
          if (typeof each === 'number') await served.pass(each % 1500);
          else if (each.length <= capabilities.mtu) wild.link.send(each);
        }
        await settle();
        await calm.peer.say(publish('calm', 2));
        await served.pass(50);
        expect(calm.peer.link.isClosed).toBe(false);
        expect(calm.peer.messages.filter(({ type }) => type === publish('calm', 1).type)).toMatchObject(
          expect.arrayContaining([expect.objectContaining({ topic: 'calm', clientId: 'calm' })]),
        );
        expect(served.log.texts('error')).toEqual([]);
      }),
      { numRuns: 150 },
    );
  });
});
