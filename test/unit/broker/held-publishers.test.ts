import { expect, test } from 'vitest';
import { encodeMessage } from '../../../src/wire/long-form.ts';
import { MessageType } from '../../../src/wire/numbers.ts';
import { clientConfig } from '../../support/broker-house.ts';
import { publish, ServedBroker, subscribe } from '../../support/peer.ts';

const clients = [clientConfig('publisher'), clientConfig('other'), clientConfig('reader')];
const UNSETTLED = 8;
const COUNT = 100;

test('5.2.4: while a durable queue takes nothing its publishers are not read, nobody else waits, and everything comes in the end', async () => {
  const served = await ServedBroker.open({
    clients,
    forward: ['up'],
    limits: { unsettledMessages: UNSETTLED },
  });
  const { peer: reader } = await served.connected('reader');
  await reader.say(subscribe(1, ['local']));
  const { peer: publisher } = await served.connected('publisher');
  const { peer: other } = await served.connected('other');
  served.spool.held = true;
  const frameBytes = encodeMessage(publish('up', 1)).length;
  for (let value = 1; value <= COUNT; value += 1) await publisher.say(publish('up', value));
  await served.pass(1000);
  // What is not read stays on the publisher's side of the link.
  expect(publisher.link.queuedBytes).toBeGreaterThan((COUNT - 2 * UNSETTLED) * frameBytes);
  expect(publisher.heard(MessageType.ACK)).toEqual([]);
  for (let value = 1; value <= 20; value += 1) {
    await other.say(publish('local', value));
    await served.pass(20);
    expect(other.heard(MessageType.ACK).at(-1)).toMatchObject({ messageId: value });
    expect(reader.heard(MessageType.PUBLISH)).toHaveLength(value);
  }
  served.spool.held = false;
  for (let round = 0; round < COUNT; round += 1) {
    served.spool.commit();
    await served.pass(20);
  }
  expect(publisher.heard(MessageType.ACK).at(-1)).toMatchObject({ messageId: COUNT });
  expect(served.spool.kept('bridge').map(({ publication }) => publication.origin.messageId)).toEqual(
    Array.from({ length: COUNT }, (_, index) => index + 1),
  );
  expect(publisher.link.queuedBytes).toBe(0);
});
