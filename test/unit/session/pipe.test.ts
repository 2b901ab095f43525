import { expect, test } from 'vitest';
import { join, reading, Side, values } from '../../support/session-pair.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

const medium = {
  capabilities: { reliable: true, shortForm: false, mtu: 65_540, bitRate: 1_000_000 },
  latencyMs: 5,
  highWaterBytes: 2000,
};

test('a session that is full stops reading from its link and starts again', () => {
  const clock = new VirtualClock();
  const from = new Side({ clock, side: 'client' });
  const to = new Side({ clock, side: 'server', limits: { unsettledMessages: 4 }, settleAfter: () => 1000 });
  join(clock, medium, from, to, 'handshake');
  for (let value = 0; value < 20; value += 1) from.send(reading(value));
  clock.advance(900);
  expect(values(to.received, true)).toEqual([0, 1, 2, 3]);
  clock.advance(10_000);
  expect(values(to.received, true)).toHaveLength(20);
  expect(from.pipe.session.queuedBytes).toBe(0);
});

test('one timer at most waits, and none when there is nothing to wait for', () => {
  const clock = new VirtualClock();
  const from = new Side({ clock, side: 'client', session: { keepAliveMs: 1000 } });
  const to = new Side({ clock, side: 'server' });
  join(clock, medium, from, to, 'handshake');
  for (let value = 0; value < 5; value += 1) from.send(reading(value));
  clock.advance(500);
  expect(clock.nextIn).toBeGreaterThan(0);
  from.link?.close();
  expect(clock.nextIn).toBeUndefined();
  clock.advance(2000);
  expect(from.events).toEqual([]);
});
