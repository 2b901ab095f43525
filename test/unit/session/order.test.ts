import { describe, expect, test } from 'vitest';
import { encodeMessage } from '../../../src/wire/long-form.ts';
import type { Message } from '../../../src/wire/message.ts';
import { MessageType, ShortKind } from '../../../src/wire/numbers.ts';
import { loneSession, tcp, wire } from '../../support/lone-session.ts';
import { reading } from '../../support/session-pair.ts';

function publish(messageId: number, timestamp = 0): Uint8Array {
  return encodeMessage({ ...reading(messageId), messageId, timestamp });
}

function ack(messageId: number): Uint8Array {
  return encodeMessage({ type: MessageType.ACK, timestamp: 0, messageId });
}

const content = Uint8Array.of(7);
const ids = (messages: readonly unknown[]): unknown[] =>
  messages.map((message) => (message as { readonly messageId?: number }).messageId);

describe('numbers and order (clause 5.1)', () => {
  test('reliable messages of a direction are numbered 1, 2, 3 (5.1.1)', () => {
    const { machine, take } = loneSession();
    machine.attach(tcp, 0, 0);
    expect(machine.sendReliable(reading(1), 0)).toBe(1);
    expect(machine.sendReliable({ type: MessageType.UNSUBSCRIBE, topics: ['a'] }, 0)).toBe(2);
    machine.sendBestEffort(reading(2), 0);
    expect(machine.sendReliable(reading(3), 0)).toBe(3);
    expect(ids(take())).toEqual([1, 2, undefined, 3]);
  });

  test('a number already processed is acknowledged again and otherwise ignored (5.1.3)', () => {
    const { machine, received, take, tickUntil, events } = loneSession();
    machine.attach(tcp, 0, 0);
    machine.frame(publish(1), 0);
    machine.settle(1, 0);
    tickUntil(0);
    take();
    machine.frame(publish(1), 5);
    tickUntil(5);
    expect(take()).toMatchObject([{ type: MessageType.ACK, messageId: 1 }]);
    expect(received).toHaveLength(1);
    expect(events).toEqual(['dropped repeated']);
  });

  test('a number that skips one on a link that keeps order is a protocol error (5.1.3)', () => {
    const { machine, received, violations, frames } = loneSession();
    machine.attach(tcp, 0, 0);
    machine.frame(publish(2), 0);
    expect(violations.map(({ code }) => code)).toEqual(['HSK-2001']);
    machine.frame(publish(1), 0);
    expect(received).toEqual([]);
    expect(machine.sendControl({ type: MessageType.DISCONNECT, timestamp: 1 }, 0)).toBe(true);
    expect(frames).toHaveLength(1);
  });

  test('a number that skips one on a lossy link waits for the missing one (5.1.3, 6.3.1)', () => {
    const { machine, received, hear, take } = loneSession();
    machine.attach(wire, 0, 0);
    hear({ kind: ShortKind.PUBLISH_RELIABLE, alias: 1, id8: 2, content }, 0);
    expect(take()).toEqual([{ kind: ShortKind.ACK, confirmed: false, id8: 0, credit: undefined }]);
    expect(received).toEqual([]);
    hear({ kind: ShortKind.PUBLISH_RELIABLE, alias: 1, id8: 1, content }, 30);
    expect(ids(received.map(({ message }) => message))).toEqual([1, 2]);
    expect(received[1]?.age.ms).toBe(30);
  });

  test('no more early messages are kept than the bound says (6.3.1)', () => {
    const { machine, received, hear, events } = loneSession({ limits: { reorderMessages: 1 } });
    machine.attach(wire, 0, 0);
    for (const id8 of [2, 3, 1]) hear({ kind: ShortKind.PUBLISH_RELIABLE, alias: 1, id8, content }, 0);
    expect(ids(received.map(({ message }) => message))).toEqual([1, 2]);
    expect(events).toEqual(['dropped too-early']);
  });

  test('an acknowledgement of what was never sent is a protocol error (5.1.2)', () => {
    const { machine, violations, events } = loneSession();
    machine.attach(tcp, 0, 0);
    machine.sendReliable(reading(1), 0);
    machine.frame(ack(2), 0);
    expect(violations.map(({ code }) => code)).toEqual(['HSK-2002']);
    expect(events).toEqual([]);
  });

  test('the numbers end before 2^32 - 1 (5.1.4)', () => {
    const { machine, violations } = loneSession({ sent: 0xffff_fffd, restored: true });
    machine.attach(tcp, 0, 0xffff_fffd);
    expect(machine.sendReliable(reading(1), 0)).toBe(0xffff_fffe);
    expect(machine.sendReliable(reading(2), 0)).toBeUndefined();
    expect(violations.map(({ code }) => code)).toEqual(['HSK-2004']);
  });

  test.each<[string, 'server' | 'client', Message]>([
    ['CONNACK', 'client', { type: MessageType.CONNACK_RESUMED, timestamp: 0, messageId: 0, serverTime: 0 }],
    ['TIME', 'server', { type: MessageType.TIME, timestamp: 0, requestId: 1, serverTime: 0, echo: 0 }],
    [
      'SUBSCRIBE',
      'client',
      { type: MessageType.SUBSCRIBE, timestamp: 0, messageId: 1, topics: ['a'], bestEffort: false },
    ],
  ])('%s is refused by a %s (3.1.1)', (_name, side, message) => {
    const reliable = loneSession({ side });
    reliable.machine.attach(tcp, 0, 0);
    reliable.machine.frame(encodeMessage(message), 0);
    expect(reliable.violations.map(({ code }) => code)).toEqual(['HSK-2003']);
    const lossy = loneSession({ side });
    lossy.machine.attach(wire, 0, 0);
    lossy.machine.frame(encodeMessage(message), 0);
    expect(lossy.events).toEqual(['dropped unexpected-message']);
    expect(lossy.received).toEqual([]);
  });

  test('the short form is refused where it is not spoken (1.3)', () => {
    const { machine, hear, violations } = loneSession();
    machine.attach(tcp, 0, 0);
    hear({ kind: ShortKind.PING, pong: false, echo: 1 }, 0);
    expect(violations.map(({ code }) => code)).toEqual(['HSK-2003']);
  });
});

describe('acknowledgement (clause 5.2)', () => {
  test('goes out in the next tick when nothing else waits, one for all that came at once (5.2.1)', () => {
    const { machine, take, tickUntil } = loneSession();
    machine.attach(tcp, 0, 0);
    for (const id of [1, 2, 3]) {
      machine.frame(publish(id), 10);
      machine.settle(id, 10);
    }
    expect(take()).toEqual([]);
    expect(machine.deadline).toBe(10);
    tickUntil(10);
    expect(take()).toMatchObject([{ type: MessageType.ACK, messageId: 3 }]);
    expect(machine.deadline).toBeUndefined();
  });

  test('waits at most 20 ms while something else is in progress (5.2.1)', () => {
    const { machine, take, tickUntil } = loneSession();
    machine.attach(tcp, 0, 0);
    machine.frame(publish(1), 0);
    machine.frame(publish(2), 0);
    machine.settle(1, 5);
    tickUntil(24);
    expect(take()).toEqual([]);
    tickUntil(25);
    expect(take()).toMatchObject([{ messageId: 1 }]);
  });

  test('waits for at most 32 messages (5.2.1)', () => {
    const { machine, take } = loneSession();
    machine.attach(tcp, 0, 0);
    for (let id = 1; id <= 40; id += 1) machine.frame(publish(id), 0);
    for (let id = 1; id <= 33; id += 1) machine.settle(id, 0);
    expect(take()).toMatchObject([{ messageId: 32 }]);
  });

  test('covers only what is settled, in whatever order that happens (5.2.2)', () => {
    const { machine, take, tickUntil } = loneSession();
    machine.attach(tcp, 0, 0);
    for (const id of [1, 2, 3]) machine.frame(publish(id), 0);
    for (const id of [3, 2, 2, 9]) machine.settle(id, 0);
    tickUntil(100);
    expect(take()).toEqual([]);
    expect([machine.received, machine.settled]).toEqual([3, 0]);
    machine.settle(1, 200);
    tickUntil(200);
    expect(take()).toMatchObject([{ messageId: 3 }]);
    expect(machine.settled).toBe(3);
  });

  test('of ours frees the queue and tells the newest tag (5.2.4)', () => {
    const { machine, events } = loneSession();
    machine.attach(tcp, 0, 0);
    machine.sendReliable(reading(1), 0, 11);
    machine.sendReliable(reading(2), 0, 12);
    machine.sendReliable(reading(3), 0);
    machine.sendReliable(reading(4), 0, 14);
    machine.frame(ack(3), 0);
    machine.frame(ack(2), 0);
    machine.frame(ack(3), 0);
    expect(events).toEqual(['acknowledged 3 tag 12']);
    machine.frame(ack(4), 0);
    expect(machine.queuedBytes).toBe(0);
  });

  test('a receiver that is full holds a reliable link and lets go at half (5.2.4)', () => {
    const { machine, events } = loneSession({ limits: { unsettledMessages: 4 } });
    machine.attach(tcp, 0, 0);
    for (const id of [1, 2, 3, 4, 5]) machine.frame(publish(id), 0);
    expect(events).toEqual(['hold']);
    machine.settle(1, 0);
    machine.settle(2, 0);
    expect(events).toEqual(['hold']);
    machine.settle(3, 0);
    expect(events).toEqual(['hold', 'release']);
  });

  test('a queue that is full takes no reliable message, but one always fits (5.5.4)', () => {
    const { machine } = loneSession({ limits: { sendQueueBytes: 100 } });
    expect(machine.sendReliable(reading(1, 200), 0)).toBe(1);
    expect(machine.sendReliable(reading(2), 0)).toBeUndefined();
    machine.attach(tcp, 0, 1);
    expect(machine.sendReliable(reading(2), 0)).toBeUndefined();
  });
});

describe('sending', () => {
  test('stops at the high-water mark of the link and goes on when it has drained', () => {
    const lone = loneSession();
    const { machine, take } = lone;
    machine.attach(tcp, 0, 0);
    lone.room = false;
    for (const value of [1, 2, 3]) machine.sendReliable(reading(value), 0);
    expect(ids(take())).toEqual([1]);
    lone.room = true;
    machine.drained(5);
    expect(ids(take())).toEqual([2, 3]);
  });

  test('best-effort messages wait in order while there is room, and are their owner’s after that (5.5.4)', () => {
    const lone = loneSession({ limits: { sendQueueBytes: 100 } });
    const { machine, frames, events } = lone;
    expect(machine.sendBestEffort(reading(0), 0)).toBe('dropped');
    machine.attach(tcp, 0, 0);
    lone.room = false;
    // The first goes out, four of 24 bytes wait.
    const taken = [1, 2, 3, 4, 5, 6].map((value) => machine.sendBestEffort(reading(value), 0));
    expect(taken).toEqual(['sent', 'sent', 'sent', 'sent', 'sent', 'full']);
    expect(events).toEqual(['dropped detached']);
    lone.room = true;
    machine.drained(0);
    expect(frames.map((frame) => frame.at(-1))).toEqual([1, 2, 3, 4, 5]);
  });

  test('a delivery that waits carries what is left of its EXPIRY; of one that expired only the number comes (5.5.6)', () => {
    const lone = loneSession();
    const { machine, take, events } = lone;
    machine.attach(tcp, 0, 0);
    lone.room = false;
    for (const expiry of [undefined, 1000, 5000]) machine.sendReliable({ ...reading(1), expiry }, 0);
    machine.detach();
    lone.room = true;
    machine.attach(tcp, 2000, 0);
    const sent = take().slice(1);
    expect(sent).toMatchObject([{ expiry: undefined }, { expiry: 0 }, { expiry: 3000 }]);
    expect(sent.map((each) => ('content' in each ? each.content.length : -1))).toEqual([8, 0, 8]);
    expect(ids(sent)).toEqual([1, 2, 3]);
    expect(events).toEqual(['dropped expired']);
  });

  test('what a client sends keeps its EXPIRY while it waits: that counts from the moment the server has it (5.5.6)', () => {
    const { machine, take } = loneSession({ side: 'client' });
    machine.sendReliable({ ...reading(1), expiry: 1000 }, 0);
    machine.attach(tcp, 5000, 0);
    expect(take()).toMatchObject([{ expiry: 1000 }]);
  });

  test('DISCONNECT goes out past everything that waits', () => {
    const lone = loneSession();
    const { machine, take } = lone;
    machine.attach(tcp, 0, 0);
    lone.room = false;
    machine.sendReliable(reading(1), 0);
    machine.sendReliable(reading(2), 0);
    machine.sendControl({ type: MessageType.DISCONNECT, timestamp: 0 }, 0);
    expect(take()).toMatchObject([{ messageId: 1 }, { type: MessageType.DISCONNECT }]);
  });

  test('what can not be encoded, or not carried, is refused before it has a number', () => {
    const { machine } = loneSession();
    machine.attach({ reliable: true, shortForm: false, mtu: 300 }, 0, 0);
    expect(() => machine.sendReliable(reading(1, 300), 0)).toThrow(
      expect.objectContaining({ code: 'HSK-2005' }),
    );
    expect(() => machine.sendReliable({ ...reading(1), content: Uint8Array.of(1) }, 0)).toThrow(
      expect.objectContaining({ code: 'HSK-1101' }),
    );
    expect(machine.sendReliable(reading(1), 0)).toBe(1);
  });
});

describe('resuming (clause 5.4)', () => {
  test('counts the number of the peer as an ACK and sends the rest again (5.4.1)', () => {
    const { machine, take, events } = loneSession();
    machine.attach(tcp, 0, 0);
    for (const value of [1, 2, 3]) machine.sendReliable(reading(value), 0, value);
    take();
    machine.detach();
    machine.sendReliable(reading(4), 0, 4);
    expect(take()).toEqual([]);
    machine.attach(tcp, 100, 2);
    expect(ids(take())).toEqual([3, 4]);
    expect(events).toEqual(['acknowledged 2 tag 2']);
  });

  test('a restored session acknowledges what an earlier process sent as soon as it is queued', () => {
    const { machine, take, events } = loneSession({ sent: 10, received: 5, restored: true });
    machine.sendReliable(reading(11), 0, 11);
    machine.attach(tcp, 0, 12);
    machine.sendReliable(reading(12), 0, 12);
    machine.sendReliable(reading(13), 0, 13);
    expect(events).toEqual(['acknowledged 11 tag 11', 'acknowledged 12 tag 12']);
    expect(ids(take())).toEqual([13]);
    expect([machine.received, machine.settled]).toEqual([5, 5]);
  });

  test('a number that can not be is a protocol error', () => {
    const { machine, violations } = loneSession();
    machine.attach(tcp, 0, 1);
    expect(violations.map(({ code }) => code)).toEqual(['HSK-2002']);
  });
});

describe('keep-alive (clause 5.6)', () => {
  test('PING goes out when there was nothing else for KEEP_ALIVE, and is answered by PONG (5.6.1)', () => {
    const { machine, take, tickUntil } = loneSession({ keepAliveMs: 1000 });
    machine.attach(tcp, 0, 0);
    machine.sendReliable(reading(1), 400);
    take();
    tickUntil(1399);
    expect(take()).toEqual([]);
    tickUntil(1400);
    expect(take()).toMatchObject([{ type: MessageType.PING }]);
    machine.frame(encodeMessage({ type: MessageType.PING, timestamp: 0, echo: 77 }), 1450);
    expect(take()).toMatchObject([{ type: MessageType.PONG, echo: 77 }]);
    machine.frame(encodeMessage({ type: MessageType.PING, timestamp: 0 }), 1450);
    expect(take()).toMatchObject([{ type: MessageType.PONG, echo: 0 }]);
  });

  test('a lossy link is pinged twice as often, so that one PING may get lost', () => {
    const { machine, take, tickUntil } = loneSession({ keepAliveMs: 1000 });
    machine.attach(wire, 0, 0);
    tickUntil(1000);
    expect(take()).toMatchObject([{ kind: ShortKind.PING }, { kind: ShortKind.PING }]);
  });

  test('silence of 1.5 x KEEP_ALIVE is said once, and so is its end (5.6.1)', () => {
    const { machine, tickUntil, events } = loneSession({ keepAliveMs: 1000 });
    machine.attach(wire, 0, 0);
    tickUntil(1499);
    expect(events).toEqual([]);
    tickUntil(5000);
    expect(events).toEqual(['silent']);
    machine.frame(encodeMessage({ type: MessageType.PONG, timestamp: 0, echo: 200 }), 5001);
    machine.frame(encodeMessage({ type: MessageType.PONG, timestamp: 0, echo: 200 }), 5002);
    expect(events).toEqual(['silent', 'heard']);
  });

  test('KEEP_ALIVE 0 is none at all (4.1)', () => {
    const { machine } = loneSession();
    machine.attach(tcp, 0, 0);
    expect(machine.deadline).toBeUndefined();
  });

  test('the round trip is measured when a client tells the time, for how sure that time is', () => {
    const { machine, take, received } = loneSession({ epoch: 1000 });
    machine.attach(tcp, 1000, 0);
    machine.frame(publish(1, 41), 1050);
    expect(received[0]?.age).toEqual({ ms: 10, uncertainty: undefined });
    const [ping] = take();
    expect(ping).toMatchObject({ type: MessageType.PING });
    machine.frame(encodeMessage({ type: MessageType.PONG, timestamp: 0, echo: 1 }), 1058);
    machine.frame(publish(2, 200), 1100);
    expect(received[1]?.age).toEqual({ ms: 0, uncertainty: 8 });
    expect(machine.roundTripMs).toBe(8);
    machine.frame(publish(3, 0), 1100);
    expect(received[2]?.age).toEqual({ ms: 0, uncertainty: undefined });
    expect(take()).toEqual([]);
  });
});
