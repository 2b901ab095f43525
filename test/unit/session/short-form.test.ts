import { describe, expect, test } from 'vitest';
import { encodeContent } from '../../../src/wire/content.ts';
import { encodeMessage } from '../../../src/wire/long-form.ts';
import type { AliasEntry } from '../../../src/wire/message.ts';
import { MessageType, ShortKind } from '../../../src/wire/numbers.ts';
import { isShortForm } from '../../../src/wire/short-form.ts';
import { loneSession, tcp, wire, type LoneSession } from '../../support/lone-session.ts';
import { reading } from '../../support/session-pair.ts';

const content = Uint8Array.of(0, 0, 0, 7);
/** A line whose bit rate is no bottleneck. */
const fast = { ...wire, bitRate: undefined };

function ack(lone: LoneSession, id8: number, now: number, credit?: number): void {
  lone.hear({ kind: ShortKind.ACK, confirmed: false, id8, credit }, now);
}

describe('choosing the form (clause 6.1)', () => {
  const temperature: AliasEntry = {
    aliasId: 200,
    topic: 'temp',
    layout: [{ contentType: 0x8001, length: 2 }],
  };
  const publish = {
    type: MessageType.PUBLISH,
    topic: 'temp',
    retain: false,
    content: encodeContent([{ contentType: 0x8001, value: Uint8Array.of(1, 2) }]),
  };

  test('a PUBLISH whose topic has an alias and whose content fits its layout goes in the short form (6.1.3)', () => {
    const { machine, take } = loneSession({ aliases: [temperature] });
    machine.attach(fast, 0, 0);
    machine.sendReliable(publish, 0);
    machine.sendBestEffort(publish, 0);
    expect(take()).toEqual([
      { kind: ShortKind.PUBLISH_RELIABLE, alias: 200, id8: 1, content: Uint8Array.of(1, 2) },
      { kind: ShortKind.PUBLISH, alias: 200, content: Uint8Array.of(1, 2) },
    ]);
  });

  test.each([
    ['the topic has no alias', { ...publish, topic: 'other' }],
    [
      'the content does not fit',
      { ...publish, content: encodeContent([{ contentType: 0x8001, value: content }]) },
    ],
    ['it is retained', { ...publish, retain: true }],
    ['it expires', { ...publish, expiry: 5 }],
    ['it wants a response', { ...publish, responseTopic: 'r' }],
    ['it has a correlation', { ...publish, correlation: content }],
  ])('a PUBLISH goes in the long form when %s (6.1.7)', (_why, message) => {
    const { machine, take } = loneSession({ aliases: [temperature] });
    machine.attach(fast, 0, 0);
    machine.sendReliable(message, 0);
    expect(take()).toMatchObject([{ type: MessageType.PUBLISH, messageId: 1 }]);
  });

  test("the publisher's CLIENT_ID does not force the long form on a node", () => {
    const { machine, take } = loneSession({ aliases: [temperature] });
    machine.attach(fast, 0, 0);
    machine.sendReliable({ ...publish, clientId: 'somebody' }, 0);
    expect(take()).toMatchObject([{ kind: ShortKind.PUBLISH_RELIABLE }]);
  });

  test('of several aliases of a topic the one whose layout fits is used', () => {
    const wide = { ...temperature, aliasId: 3, layout: [{ contentType: 0x8001, length: 4 }] };
    const { machine, take } = loneSession({ aliases: [wide, temperature] });
    machine.attach(fast, 0, 0);
    machine.sendBestEffort(publish, 0);
    expect(take()).toMatchObject([{ alias: 200 }]);
  });

  test('a reading older than a second goes as a batch of one with its age (6.1.6)', () => {
    const { machine, take } = loneSession();
    machine.sendReliable(reading(7), 500);
    machine.sendReliable(reading(7), 1000);
    machine.attach(fast, 2000, 0);
    const [batch, fresh] = take();
    expect(batch).toEqual({
      kind: ShortKind.PUBLISH_BATCH,
      alias: 1,
      id8: 1,
      count: 1,
      // 1500 ms as a varint, then the length of the opaque content.
      readings: Uint8Array.of(0xdc, 0x0b, 4, ...content),
    });
    expect(fresh).toMatchObject({ kind: ShortKind.PUBLISH_RELIABLE, id8: 2 });
  });

  test('what a PUBLISH and a batch say of the time (6.1.6)', () => {
    const { machine, hear, received } = loneSession();
    machine.attach(wire, 0, 0);
    // 4 bytes of content, alias and id8, and 4 of framing at 9600 baud.
    const transmission = (10 * 10_000) / 9600;
    hear({ kind: ShortKind.PUBLISH_RELIABLE, alias: 1, id8: 1, content }, 0);
    expect(received[0]).toMatchObject({
      age: { ms: 0 },
      message: { topic: 't', messageId: 1 },
    });
    expect(received[0]?.age.uncertainty).toBeCloseTo(1000 + transmission);
    hear(
      {
        kind: ShortKind.PUBLISH_BATCH,
        alias: 1,
        id8: 2,
        count: 2,
        readings: Uint8Array.of(100, 1, 5, 10, 1, 6),
      },
      0,
    );
    expect(received[1]?.message).toEqual({
      type: 'BATCH',
      messageId: 2,
      topic: 't',
      readings: [
        { ageMs: 100, content: encodeContent([{ contentType: 0x8000, value: Uint8Array.of(5) }]) },
        { ageMs: 10, content: encodeContent([{ contentType: 0x8000, value: Uint8Array.of(6) }]) },
      ],
    });
  });

  test.each([
    ['layout-mismatch', { kind: ShortKind.PUBLISH, alias: 200, content: Uint8Array.of(1) }],
    [
      'layout-mismatch',
      { kind: ShortKind.PUBLISH_BATCH, alias: 200, id8: 1, count: 2, readings: Uint8Array.of(1, 2, 3) },
    ],
    ['unknown-alias', { kind: ShortKind.PUBLISH, alias: 9, content }],
    ['acknowledges-unsent', { kind: ShortKind.ACK, confirmed: false, id8: 3 }],
    ['unexpected-message', { kind: ShortKind.ACK, confirmed: true, id8: 0 }],
    ['unexpected-message', { kind: ShortKind.RESET }],
  ] as const)(
    'a frame that breaks a rule is dropped as %s and the session goes on (5.7.2)',
    (reason, frame) => {
      const { machine, hear, events, received } = loneSession({ aliases: [temperature] });
      machine.attach(wire, 0, 0);
      hear(frame, 0);
      expect(events).toEqual([`dropped ${reason}`]);
      expect(received).toEqual([]);
      hear({ kind: ShortKind.PUBLISH, alias: 200, content: Uint8Array.of(1, 2) }, 0);
      expect(received).toHaveLength(1);
    },
  );

  test('an alias is understood in the long form too (3.3)', () => {
    const { machine, received, violations } = loneSession();
    machine.attach(tcp, 0, 0);
    const { topic: _topic, ...rest } = reading(7);
    machine.frame(encodeMessage({ ...rest, aliasId: 1, timestamp: 0 }), 0);
    expect(received).toMatchObject([{ message: { topic: 't', aliasId: undefined } }]);
    machine.frame(encodeMessage({ ...rest, aliasId: 2, timestamp: 0 }), 0);
    expect(violations.map(({ code }) => code)).toEqual(['HSK-1104']);
  });
});

describe('ALIAS (clause 6.1.2)', () => {
  const entry: AliasEntry = { aliasId: 5, topic: 'new', layout: [] };
  const message = { ...reading(7), topic: 'new' };

  test('of the peer is settled by the session itself and used once the peer was told', () => {
    const lone = loneSession({ aliases: [] });
    const { machine, take, received } = lone;
    machine.attach(fast, 0, 0);
    machine.frame(
      encodeMessage({ type: MessageType.ALIAS, timestamp: 0, messageId: 1, entries: [entry] }),
      0,
    );
    expect(received).toEqual([]);
    expect(machine.aliases).toEqual([entry]);
    machine.sendBestEffort(message, 0);
    expect(take()).toMatchObject([{ type: MessageType.PUBLISH }]);
    lone.tickUntil(0);
    machine.sendBestEffort(message, 0);
    expect(take()).toMatchObject([
      { kind: ShortKind.ACK, id8: 1 },
      { kind: ShortKind.PUBLISH, alias: 5 },
    ]);
  });

  test('of ours is in force once it is acknowledged', () => {
    const lone = loneSession({ aliases: [], side: 'client' });
    const { machine, take, hear, received, events } = lone;
    machine.attach(fast, 0, 0);
    machine.sendReliable({ type: MessageType.ALIAS, entries: [entry] }, 0);
    machine.sendBestEffort(message, 0);
    expect(take()).toMatchObject([{ type: MessageType.ALIAS }, { type: MessageType.PUBLISH }]);
    hear({ kind: ShortKind.PUBLISH, alias: 5, content }, 0);
    expect(events).toEqual(['dropped unknown-alias']);
    ack(lone, 1, 0);
    machine.sendBestEffort(message, 0);
    expect(take()).toMatchObject([{ kind: ShortKind.PUBLISH, alias: 5 }]);
    hear({ kind: ShortKind.PUBLISH, alias: 5, content }, 0);
    expect(received).toMatchObject([{ message: { topic: 'new' } }]);
  });

  test('that gives a number a new meaning is understood at once but not used by us: our ACK may get lost', () => {
    const lone = loneSession();
    const { machine, take, hear, received } = lone;
    machine.attach(fast, 0, 0);
    const again = { aliasId: 1, topic: 'new', layout: [] };
    machine.frame(
      encodeMessage({ type: MessageType.ALIAS, timestamp: 0, messageId: 1, entries: [again] }),
      0,
    );
    lone.tickUntil(0);
    take();
    machine.sendBestEffort(message, 0);
    machine.sendBestEffort(reading(7), 0);
    expect(take().map((frame) => 'kind' in frame)).toEqual([false, false]);
    hear({ kind: ShortKind.PUBLISH, alias: 1, content }, 0);
    expect(received).toMatchObject([{ message: { topic: 'new' } }]);
  });
});

describe('identifiers of 8 bits (clause 6.2)', () => {
  test('at most 127 messages are in flight (6.2.1, 9.5)', () => {
    const lone = loneSession();
    lone.machine.attach(fast, 0, 0);
    for (let value = 0; value < 200; value += 1) lone.machine.sendReliable(reading(value), 0);
    expect(lone.take()).toHaveLength(127);
    ack(lone, 50, 1);
    expect(lone.take()).toHaveLength(50);
  });

  test.each([255, 0xffff])('run over %i without a gap', (before) => {
    const lone = loneSession({ received: before, sent: before, restored: true });
    const { machine, hear, received, take, events } = lone;
    machine.attach(fast, 0, before);
    for (const id8 of [0, 1]) hear({ kind: ShortKind.PUBLISH_RELIABLE, alias: 1, id8, content }, 0);
    expect(received.map(({ message }) => 'messageId' in message && message.messageId)).toEqual([
      before + 1,
      before + 2,
    ]);
    machine.sendReliable(reading(1), 0);
    expect(take()).toMatchObject([{ id8: 0 }]);
    ack(lone, 0, 0);
    expect(events).toEqual([`acknowledged ${before + 1} tag -`]);
  });

  test('CONFIRMED goes in the short form as long as an id8 can say it, and moves forward only', () => {
    const server = loneSession({ received: 300, restored: true });
    server.machine.attach(fast, 0, 0);
    const confirmed = (messageId: number): boolean =>
      server.machine.sendControl({ type: MessageType.CONFIRMED, timestamp: 0, messageId }, 0);
    confirmed(174);
    confirmed(173);
    expect(server.take()).toMatchObject([
      { kind: ShortKind.ACK, confirmed: true, id8: 174 },
      { messageId: 173 },
    ]);
    const client = loneSession({ side: 'client', sent: 300, restored: true });
    client.machine.attach(fast, 0, 300);
    for (const id8 of [174, 175, 174]) client.hear({ kind: ShortKind.ACK, confirmed: true, id8 }, 0);
    expect(client.events).toEqual(['confirmed 174', 'confirmed 175']);
  });
});

describe('loss (clause 6.3)', () => {
  test('the timer sends the oldest message again, later each time up to 10 s (6.3.2)', () => {
    const lone = loneSession();
    lone.machine.attach(fast, 0, 0);
    lone.machine.sendReliable(reading(1), 0);
    lone.machine.sendReliable(reading(2), 0);
    lone.take();
    const times: number[] = [];
    for (let n = 0; n < 6; n += 1) {
      const at = lone.machine.deadline ?? 0;
      lone.machine.tick(at);
      times.push(at);
      expect(lone.take()).toMatchObject([{ id8: 1 }]);
    }
    expect(times).toEqual([1000, 3000, 7000, 15_000, 25_000, 35_000]);
  });

  test('the timer counts from when the last bit has left the line (6.3.2)', () => {
    const lone = loneSession();
    lone.machine.attach({ ...wire, bitRate: 300 }, 0, 0);
    lone.machine.sendReliable(reading(1), 0);
    expect(lone.machine.deadline).toBeCloseTo(1000 + (10 * 10_000) / 300);
  });

  test('an ACK that moves forward in recovery sends the next one at once (6.3.2)', () => {
    const lone = loneSession();
    lone.machine.attach(fast, 0, 0);
    for (const value of [1, 2, 3]) lone.machine.sendReliable(reading(value), 0);
    lone.take();
    lone.machine.tick(1000);
    expect(lone.take()).toMatchObject([{ id8: 1 }]);
    ack(lone, 1, 1001);
    expect(lone.take()).toMatchObject([{ id8: 2 }]);
    ack(lone, 3, 1002);
    expect(lone.take()).toEqual([]);
    expect(lone.machine.deadline).toBeUndefined();
  });

  test('an ACK that repeats twice sends the oldest again once (6.3.2)', () => {
    const lone = loneSession();
    lone.machine.attach(fast, 0, 0);
    for (const value of [1, 2, 3, 4]) lone.machine.sendReliable(reading(value), 0);
    lone.take();
    ack(lone, 0, 1);
    expect(lone.take()).toEqual([]);
    ack(lone, 0, 2);
    expect(lone.take()).toMatchObject([{ id8: 1 }]);
    ack(lone, 0, 3);
    ack(lone, 0, 4);
    expect(lone.take()).toEqual([]);
  });

  test('messages that were sent again give no sample of the round trip (6.3.2)', () => {
    const lone = loneSession();
    lone.machine.attach(fast, 0, 0);
    lone.machine.sendReliable(reading(1), 0);
    lone.machine.tick(1000);
    ack(lone, 1, 1010);
    expect(lone.machine.roundTripMs).toBeUndefined();
    lone.machine.sendReliable(reading(2), 2000);
    ack(lone, 2, 2020);
    expect(lone.machine.roundTripMs).toBe(20);
  });

  test('no more is put on the line than it drains in a moment, and an ACK goes first (6.3.3)', () => {
    const lone = loneSession();
    const { machine, hear, take } = lone;
    machine.attach({ ...wire, bitRate: 300 }, 0, 0);
    for (const value of [1, 2, 3]) machine.sendReliable(reading(value), 0);
    expect(take()).toHaveLength(1);
    hear({ kind: ShortKind.PUBLISH_RELIABLE, alias: 1, id8: 1, content }, 100);
    machine.settle(1, 100);
    lone.tickUntil(333);
    expect(take()).toMatchObject([{ kind: ShortKind.ACK, id8: 1 }]);
    lone.tickUntil(600);
    expect(take()).toMatchObject([{ id8: 2 }]);
  });

  test('the window is what the line drains in an acknowledgement time, and at least one message (6.3.3)', () => {
    const lone = loneSession();
    lone.machine.attach(wire, 0, 0);
    for (let value = 0; value < 100; value += 1) lone.machine.sendReliable(reading(value), 0);
    lone.tickUntil(900);
    // 96 bytes leave in 100 ms at 9600 baud; a message takes 10 and one more is on the line meanwhile.
    expect(lone.take()).toHaveLength(11);
  });

  test('best effort that the line does not drain within a second is dropped: it could not say its age (6.1.6)', () => {
    const lone = loneSession();
    lone.machine.attach({ ...wire, bitRate: 300 }, 0, 0);
    const taken = [1, 2, 3, 4, 5, 6, 7, 8].map((value) => lone.machine.sendBestEffort(reading(value), 0));
    expect(taken.filter((each) => each === 'sent')).toHaveLength(7);
    expect(taken.at(-1)).toBe('full');
  });

  test('nothing is sent again on a link that keeps order', () => {
    const lone = loneSession();
    lone.machine.attach(tcp, 0, 0);
    lone.machine.sendReliable(reading(1), 0);
    expect(lone.machine.deadline).toBeUndefined();
  });
});

describe('credit (clause 6.4)', () => {
  test('holds the sender, who probes with the oldest message at the pace of the timer (6.4.1)', () => {
    const lone = loneSession();
    lone.machine.attach(fast, 0, 0);
    lone.machine.sendReliable(reading(1), 0);
    ack(lone, 1, 20, 0);
    lone.take();
    lone.machine.sendReliable(reading(2), 20);
    lone.machine.sendReliable(reading(3), 20);
    expect(lone.take()).toEqual([]);
    lone.tickUntil(119);
    expect(lone.take()).toMatchObject([{ id8: 2 }]);
    ack(lone, 1, 130, 0);
    ack(lone, 1, 140, 0);
    expect(lone.take()).toEqual([]);
    ack(lone, 2, 150, 1);
    expect(lone.take()).toMatchObject([{ id8: 3 }]);
  });

  test('is told with each ACK where the receiver takes less than 127 (6.4.1)', () => {
    const lone = loneSession({ limits: { unsettledMessages: 2 } });
    const { machine, hear, take, events } = lone;
    machine.attach(fast, 0, 0);
    for (const id8 of [1, 2, 3]) hear({ kind: ShortKind.PUBLISH_RELIABLE, alias: 1, id8, content }, 0);
    expect(events).toEqual(['dropped over-credit']);
    expect(take()).toMatchObject([{ kind: ShortKind.ACK, id8: 0, credit: 2 }]);
    machine.settle(1, 0);
    hear({ kind: ShortKind.PUBLISH_RELIABLE, alias: 1, id8: 3, content }, 0);
    expect(machine.received).toBe(3);
  });
});

describe('a line that is busy', () => {
  const disconnect = {
    type: MessageType.DISCONNECT,
    timestamp: 0,
    reason: { code: 0, text: 'x'.repeat(80) },
  } as const;

  test('drops control messages that it would not drain within ten seconds', () => {
    const lone = loneSession();
    lone.machine.attach({ ...wire, bitRate: 300 }, 0, 0);
    const reason = { code: 7, text: 'x'.repeat(40) };
    const taken = Array.from({ length: 10 }, (_, index) =>
      lone.machine.sendControl({ type: MessageType.REJECTED, timestamp: 0, messageId: index, reason }, 0),
    );
    expect(taken.filter(Boolean)).toHaveLength(5);
    expect(lone.events).toContain('dropped send-queue-full');
  });

  test('serves reliable and other messages turn by turn', () => {
    const lone = loneSession();
    lone.machine.attach({ ...wire, bitRate: 1200 }, 0, 0);
    for (const value of [1, 2, 3]) {
      lone.machine.sendReliable(reading(value), 0);
      lone.machine.sendBestEffort(reading(value), 0);
    }
    lone.tickUntil(400);
    expect(lone.take().map((frame) => 'kind' in frame && frame.kind)).toEqual([1, 0, 1, 0, 1, 0]);
  });

  test('lets DISCONNECT pass, in fragments if need be', () => {
    const from = loneSession();
    const to = loneSession({ side: 'client' });
    const narrow = { ...wire, mtu: 40 };
    from.machine.attach(narrow, 0, 0);
    to.machine.attach(narrow, 0, 0);
    for (const value of [1, 2, 3]) from.machine.sendReliable(reading(value, 100), 0);
    from.machine.sendControl(disconnect, 0);
    for (const frame of from.frames) to.machine.frame(frame, 0);
    expect(to.received.at(-1)?.message).toEqual(disconnect);
  });
});

describe('RESUME and RESET (clause 6.5)', () => {
  const resume = { kind: ShortKind.RESUME, answer: false, session16: 0x0708 } as const;

  test('RESUME is repeated until it is answered, and holds what is reliable (6.5.2)', () => {
    const lone = loneSession({ received: 9, sent: 4, restored: true });
    const { machine, take, hear } = lone;
    machine.sendReliable(reading(5), 0);
    machine.sendReliable(reading(6), 0);
    machine.attach(fast, 0, undefined);
    machine.sendResume(0);
    const short = () => take().filter((frame) => 'kind' in frame);
    expect(short()).toEqual([{ ...resume, id8: 9 }]);
    lone.tickUntil(3500);
    expect(short()).toEqual([
      { ...resume, id8: 9 },
      { ...resume, id8: 9 },
    ]);
    hear({ ...resume, answer: true, id8: 5 }, 3600);
    expect(take()).toMatchObject([{ id8: 6 }]);
    expect(lone.events).toEqual(['acknowledged 5 tag -']);
  });

  test('a RESUME out of the blue is answered, and the rest is sent again (6.5.2)', () => {
    const lone = loneSession();
    const { machine, take, hear } = lone;
    machine.attach(fast, 0, 0);
    for (const value of [1, 2, 3]) machine.sendReliable(reading(value), 0);
    take();
    hear({ ...resume, id8: 1 }, 10);
    expect(take()).toMatchObject([{ ...resume, answer: true, id8: 0 }, { id8: 2 }, { id8: 3 }]);
  });

  test('each RESUME is answered, however soon it follows another, and an answer never (6.5.2)', () => {
    const lone = loneSession();
    lone.machine.attach(fast, 0, 0);
    for (const now of [0, 1, 2]) lone.hear({ ...resume, id8: 0 }, now);
    expect(lone.take()).toEqual(Array.from({ length: 3 }, () => ({ ...resume, answer: true, id8: 0 })));
    lone.hear({ ...resume, answer: true, id8: 0 }, 3);
    expect(lone.take()).toEqual([]);
  });

  test('where both sides ask, each answers the other, and neither waits any longer (6.5.2)', () => {
    const lone = loneSession({ sent: 2, restored: true });
    lone.machine.sendReliable(reading(3), 0);
    lone.machine.attach(fast, 0, undefined);
    lone.machine.sendResume(0);
    lone.take();
    lone.hear({ ...resume, id8: 2 }, 1);
    expect(lone.take()).toMatchObject([{ ...resume, answer: true, id8: 0 }, { id8: 3 }]);
    // Its answer to our question comes too late to tell anything new.
    lone.hear({ ...resume, answer: true, id8: 2 }, 2);
    lone.tickUntil(40);
    expect(lone.take()).toEqual([]);
  });

  test('says only what is settled: it counts as an ACK (6.5.2)', () => {
    const lone = loneSession();
    lone.machine.attach(fast, 0, 0);
    lone.hear({ kind: ShortKind.PUBLISH_RELIABLE, alias: 1, id8: 1, content }, 0);
    lone.hear({ ...resume, id8: 0 }, 0);
    expect(lone.take()).toEqual([{ ...resume, answer: true, id8: 0 }]);
  });

  test.each([
    ['another session', { ...resume, session16: 1, id8: 0 }],
    ['what was never sent', { ...resume, id8: 3 }],
  ])('the server answers a RESUME of %s with RESET (6.5.4)', (_what, frame) => {
    const server = loneSession();
    server.machine.attach(fast, 0, 0);
    server.hear(frame, 0);
    expect(server.take()).toEqual([{ kind: ShortKind.RESET }]);
    expect(server.events).toEqual(['dropped resume-mismatch']);
    const client = loneSession({ side: 'client' });
    client.machine.attach(fast, 0, 0);
    client.hear(frame, 0);
    expect(client.take()).toEqual([]);
    expect(client.events).toEqual(['dropped resume-mismatch', 'reset']);
  });

  test('RESET tells the owner of a client (6.5.4)', () => {
    const lone = loneSession({ side: 'client' });
    lone.machine.attach(fast, 0, 0);
    lone.hear({ kind: ShortKind.RESET }, 0);
    expect(lone.events).toEqual(['reset']);
  });
});

describe('fragments (clause 6.6)', () => {
  const narrow = { ...fast, mtu: 40 };
  const long = reading(7, 100);

  test('carry a frame that is longer than the MTU, and are joined in order (6.6.1)', () => {
    const from = loneSession();
    const to = loneSession({ side: 'client' });
    from.machine.attach(narrow, 0, 0);
    to.machine.attach(narrow, 0, 0);
    from.machine.sendReliable(long, 0);
    from.machine.sendBestEffort(long, 0);
    expect(from.frames.every((frame) => frame.length <= 40 && isShortForm(frame[0] ?? 0))).toBe(true);
    expect(from.frames).toHaveLength(6);
    for (const frame of from.frames) to.machine.frame(frame, 0);
    expect(to.received.map(({ message }) => 'content' in message && message.content)).toEqual([
      long.content,
      long.content,
    ]);
  });

  test('are discarded when one is missing (6.6.1)', () => {
    const from = loneSession();
    const to = loneSession({ side: 'client' });
    from.machine.attach(narrow, 0, 0);
    to.machine.attach(narrow, 0, 0);
    from.machine.sendReliable(long, 0);
    for (const [index, frame] of from.frames.entries()) if (index !== 1) to.machine.frame(frame, 0);
    expect(to.received).toEqual([]);
    expect(to.events).toEqual(['dropped fragment-lost']);
  });

  test('do not hold fragments', () => {
    const lone = loneSession();
    lone.machine.attach(narrow, 0, 0);
    lone.hear(
      { kind: ShortKind.FRAGMENT, last: true, id8: 0, index: 0, bytes: Uint8Array.of(0xf1, 0, 0, 1) },
      0,
    );
    expect(lone.events).toEqual(['dropped unexpected-message']);
  });
});
