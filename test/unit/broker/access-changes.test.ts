import { describe, expect, test } from 'vitest';
import { Access } from '../../../src/broker/access.ts';
import type { ClientConfig } from '../../../src/config/schema.ts';
import { MessageType, Reason } from '../../../src/wire/numbers.ts';
import { clientConfig } from '../../support/broker-house.ts';
import { wireCapabilities } from '../../support/memory-link.ts';
import {
  connectResume,
  connectToken,
  type Peer,
  publish,
  ServedBroker,
  subscribe,
} from '../../support/peer.ts';

/** `VirtualClock` begins with the year 2026. */
const NEW_YEAR = Date.UTC(2026, 0, 1);
const DAY_MS = 86_400_000;

function reload(served: ServedBroker, clients: readonly ClientConfig[]): void {
  served.access.reload(clients);
  served.connections.accessChanged();
}

function endOf({ last }: Peer): number | undefined {
  return last?.type === MessageType.DISCONNECT ? last.reason?.code : undefined;
}

describe('a token with an end', () => {
  const clients = [clientConfig('a', { expires: '2026-01-02' }), clientConfig('b')];

  test('5.3.8: is refused from then on', async () => {
    const served = await ServedBroker.open({ clients });
    await served.pass(DAY_MS);
    const peer = served.peer();
    await peer.say(connectToken('a'));
    await served.pass(1000);
    expect(peer.last).toMatchObject({
      type: MessageType.CONNACK_FAILED_TOKEN_ERROR,
      reason: { code: Reason.TOKEN_ERROR, text: 'the token has expired' },
    });
    expect(served.broker.authenticate(new TextEncoder().encode('a'))).toBeUndefined();
    expect(served.broker.authenticate(new TextEncoder().encode('b'))?.clientId).toBe('b');
  });

  test('5.3.8: ends its session at that moment, with its will, and no other', async () => {
    const served = await ServedBroker.open({ clients });
    await served.pass(DAY_MS - 5000);
    const other = await served.connected('b');
    await other.peer.say(subscribe(1, ['gone']));
    const will = { topic: 'gone', retain: false, content: publish('gone', 1).content };
    const { peer, connack } = await served.connected('a', { will });
    await served.pass(4999);
    expect(endOf(peer)).toBeUndefined();
    await served.pass(1);
    expect(endOf(peer)).toBe(Reason.TOKEN_ERROR);
    const again = served.peer();
    await again.say(connectResume(connack));
    expect(again.last).toMatchObject({ type: MessageType.CONNACK_FAILED_SESSION_EXPIRED });
    expect(other.peer.heard(MessageType.PUBLISH)).toMatchObject([{ topic: 'gone' }]);
    expect(served.connections.describe().map(({ client }) => client)).toEqual(['b']);
  });

  test('5.3.8: also when the clock of the machine was set forward', async () => {
    const served = await ServedBroker.open({ clients });
    await served.connected('a');
    served.clock.stepWall(2 * DAY_MS);
    await served.pass(3_600_000);
    expect(served.connections.describe()).toEqual([]);
  });
});

describe('clients that are read again', () => {
  const a = clientConfig('a');
  const b = clientConfig('b');

  test('5.3.9: leave sessions alone whose client is as it was, and let new ones in', async () => {
    const served = await ServedBroker.open({ clients: [a] });
    const { peer } = await served.connected('a');
    await peer.say(subscribe(1, ['t']));
    reload(served, [{ ...a, expires: '2027-01-01' }, b]);
    const second = await served.connected('b');
    await second.peer.say(publish('t', 1));
    expect(peer.heard(MessageType.PUBLISH)).toHaveLength(1);
    expect(peer.link.isClosed).toBe(false);
  });

  test.each([
    ['is gone', [b], Reason.TOKEN_ERROR],
    ['has another token', [{ ...a, token: clientConfig('z').token }, b], Reason.TOKEN_ERROR],
    ['has an end that is past', [{ ...a, expires: '2025-12-31T23:00:00Z' }, b], Reason.TOKEN_ERROR],
    ['has other rights', [{ ...a, publish: ['t'] }, b], Reason.NOT_ALLOWED],
  ])('5.3.9: end the session of one that %s', async (_, clients, code) => {
    const served = await ServedBroker.open({ clients: [a, b] });
    const first = await served.connected('a');
    const second = await served.connected('b');
    reload(served, clients);
    await served.pass(0);
    expect(endOf(first.peer)).toBe(code);
    expect(first.peer.link.isClosed).toBe(true);
    expect(second.peer.link.isClosed).toBe(false);
  });

  test('5.3.9: a client with other rights connects anew and has these', async () => {
    const served = await ServedBroker.open({ clients: [a] });
    await served.connected('a');
    reload(served, [{ ...a, publish: ['mine'] }]);
    const { peer } = await served.connected('a');
    await peer.say(publish('t', 1), publish('mine', 2));
    expect(peer.heard(MessageType.REJECTED)).toMatchObject([
      { messageId: 1, reason: { code: Reason.NOT_ALLOWED } },
    ]);
  });

  test('of which two have the same token are refused, and change nothing', () => {
    const access = new Access([a]);
    expect(() => access.reload([b, { ...b, name: 'c' }])).toThrow('HSK-3002');
    expect(access.clientIds).toEqual(['a']);
  });

  test('a context on disk whose token has expired meanwhile ends with the start', async () => {
    const served = await ServedBroker.open({ clients: [{ ...a, expires: '2026-01-02' }] });
    await served.connected('a', {}, wireCapabilities);
    served.spool.sessions.forEach((session) => expect(session.context.length).toBeGreaterThan(0));
    expect(served.access.nextExpiry(NEW_YEAR)).toBe(NEW_YEAR + DAY_MS);
    served.access.reload([{ ...a, expires: '2025-12-31' }]);
    served.connections.accessChanged();
    const again = served.peer(wireCapabilities);
    await again.say(connectToken('a'));
    await served.pass(1000);
    expect(again.last).toMatchObject({ type: MessageType.CONNACK_FAILED_TOKEN_ERROR });
  });
});
