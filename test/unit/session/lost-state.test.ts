import { describe, expect, test } from 'vitest';
import { encodeMessage } from '../../../src/wire/long-form.ts';
import { MessageType, ShortKind } from '../../../src/wire/numbers.ts';
import { loneSession, tcp, wire, type LoneSession } from '../../support/lone-session.ts';
import { reading } from '../../support/session-pair.ts';

const fast = { ...wire, bitRate: undefined };
/** The last two bytes of the SESSION_ID. */
const session16 = 0x0708;

/** A session on a wire whose peer has acknowledged `acknowledged` of `sent` messages. */
function underWay(side: 'server' | 'client', sent: number, acknowledged: number): LoneSession {
  const lone = loneSession({ side });
  lone.machine.attach(fast, 0, 0);
  for (let value = 1; value <= sent; value += 1) lone.machine.sendReliable(reading(value), 0);
  lone.hear({ kind: ShortKind.ACK, confirmed: false, id8: acknowledged }, 10);
  lone.take();
  lone.events.length = 0;
  return lone;
}

describe('6.5.6: a peer that has lost state', () => {
  test.each(['client', 'server'] as const)('shows in its RESUME to a %s, which then keeps still', (side) => {
    const { machine, hear, take, events } = underWay(side, 5, 3);
    hear({ kind: ShortKind.RESUME, answer: false, session16, id8: 2 }, 20);
    expect(events).toEqual(['state lost: 2 of 3']);
    expect(take()).toEqual([]);
    expect(machine.deadline).toBeUndefined();
    hear({ kind: ShortKind.RESUME, answer: false, session16, id8: 3 }, 30);
    expect(events).toHaveLength(1);
  });

  test('does not show in a RESUME that claims what was acknowledged, or more', () => {
    const { hear, events } = underWay('client', 5, 3);
    hear({ kind: ShortKind.RESUME, answer: false, session16, id8: 3 }, 20);
    hear({ kind: ShortKind.RESUME, answer: false, session16, id8: 4 }, 2000);
    expect(events).toEqual(['acknowledged 4 tag -']);
  });

  test('shows in the handshake', () => {
    const { machine, events } = underWay('client', 5, 3);
    machine.detach();
    machine.attach(tcp, 100, 2);
    expect(events).toEqual(['state lost: 2 of 3']);
  });

  test('6.5.7: shows in an ACK in the long form, also where its id8 would look like progress', () => {
    const { machine, events } = loneSession({ side: 'client', sent: 1000 });
    machine.attach(fast, 0, 1000);
    for (let value = 0; value < 10; value += 1) machine.sendReliable(reading(value), 0);
    machine.frame(encodeMessage({ type: MessageType.ACK, timestamp: 0, messageId: 1005 - 0x100 }), 10);
    expect(events).toEqual(['state lost: 749 of 1000']);
  });

  test('an ACK in the short form that comes late says nothing', () => {
    const { hear, events } = underWay('client', 5, 3);
    hear({ kind: ShortKind.ACK, confirmed: false, id8: 2 }, 20);
    expect(events).toEqual([]);
  });
});

describe('6.5.7: a session that comes from disk', () => {
  test('says its number whole before each RESUME, until one has answered', () => {
    const { machine, hear, take, tickUntil } = loneSession({ restored: true, received: 300 });
    machine.attach(fast, 0, undefined);
    machine.sendResume(0);
    tickUntil(0);
    const both = [
      { type: MessageType.ACK, messageId: 300 },
      { kind: ShortKind.RESUME, id8: 300 & 0xff },
    ];
    expect(take()).toMatchObject(both);
    tickUntil(1500);
    expect(take()).toMatchObject(both);
    hear({ kind: ShortKind.RESUME, answer: true, session16, id8: 0 }, 1600);
    machine.sendResume(5000);
    tickUntil(5000);
    expect(take()).toMatchObject([{ kind: ShortKind.RESUME, id8: 300 & 0xff }]);
  });

  test('says it again on the next link where the one before broke between the two', () => {
    const { machine, take, tickUntil } = loneSession({ restored: true, received: 300 });
    machine.attach({ ...wire, bitRate: 1200 }, 0, undefined);
    machine.sendResume(0);
    expect(take()).toMatchObject([{ type: MessageType.ACK, messageId: 300 }]);
    machine.detach();
    machine.attach(fast, 1000, undefined);
    machine.sendResume(1000);
    tickUntil(1000);
    expect(take()).toMatchObject([
      { type: MessageType.ACK, messageId: 300 },
      { kind: ShortKind.RESUME, id8: 300 & 0xff },
    ]);
  });

  test('one that was begun by this process says RESUME alone', () => {
    const { machine, take } = loneSession({ received: 300 });
    machine.attach(fast, 0, undefined);
    machine.sendResume(0);
    expect(take()).toMatchObject([{ kind: ShortKind.RESUME }]);
  });
});
