import { setImmediate } from 'node:timers/promises';
import { expect, onTestFinished, test, vi } from 'vitest';
import type { ClientSession } from '../../../src/broker/client-session.ts';
import { PastSessions } from '../../../src/broker/past-sessions.ts';
import { MessageType } from '../../../src/wire/numbers.ts';
import { clientConfig } from '../../support/broker-house.ts';
import { collectGarbage } from '../../support/garbage.ts';
import { connectResume, connectToken, publish, ServedBroker, settle } from '../../support/peer.ts';

/** Sessions that end from now on, as long as anybody but the test holds them. */
function sessionsOver(): { inMemory(): Promise<number> } {
  const over: WeakRef<ClientSession>[] = [];
  const add = vi.spyOn(PastSessions.prototype, 'add');
  onTestFinished(() => add.mockRestore());
  return {
    async inMemory() {
      over.push(...add.mock.calls.map(([session]) => new WeakRef(session)));
      add.mockClear();
      // What a WeakRef has shown in a turn of the event loop stays until its end.
      await setImmediate();
      collectGarbage();
      return over.filter((session) => session.deref()).length;
    },
  };
}

test('5.4.3: a session that is over is kept whole only until custody of its last messages is decided', async () => {
  const served = await ServedBroker.open({ clients: [clientConfig('a')], forward: ['up/#'] });
  const { peer, connack } = await served.connected('a');
  const over = sessionsOver();
  served.spool.held = true;
  await peer.say(publish('up/1', 1), { type: MessageType.DISCONNECT, timestamp: 0 });
  const early = served.peer();
  await early.say(connectResume(connack));
  expect(early.last).toMatchObject({ type: MessageType.CONNACK_FAILED_BUSY });
  expect(await over.inMemory()).toBe(1);
  served.spool.held = false;
  served.spool.commit();
  await settle();
  expect(await over.inMemory()).toBe(0);
  const late = served.peer();
  await late.say(connectResume(connack));
  expect(late.last).toMatchObject({ type: MessageType.CONNACK_FAILED_SESSION_EXPIRED, messageId: 1 });
  // The record on disk goes with the next session.
  expect(served.spool.sessions.size).toBe(1);
  await served.connected('a');
  expect(served.spool.sessions.size).toBe(0);
});

test('5.3.3: a session that another one replaces while it is on its way to the disk is not granted', async () => {
  const served = await ServedBroker.open({
    clients: [clientConfig('n', { profile: 'valve' })],
    profiles: { valve: { contents: [], aliases: [], commands: ['to/n'] } },
  });
  const [first, second] = [served.peer(), served.peer()];
  served.spool.held = true;
  await first.say(connectToken('n'));
  await second.say(connectToken('n'));
  expect([first.messages, second.messages]).toEqual([[], []]);
  served.spool.held = false;
  served.spool.commit();
  await settle();
  expect(first.last).toMatchObject({ type: MessageType.CONNACK_FAILED_BUSY });
  expect(second.last).toMatchObject({ type: MessageType.CONNACK_SUCCESS });
});
