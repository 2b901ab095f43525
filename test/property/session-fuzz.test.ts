import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { encodeMessage } from '../../src/wire/long-form.ts';
import { MessageType, ShortKind } from '../../src/wire/numbers.ts';
import { encodeShort } from '../../src/wire/short-form.ts';
import { loneSession, tcp, wire } from '../support/lone-session.ts';
import { reading } from '../support/session-pair.ts';

const bytes = fc.uint8Array({ maxLength: 60 });

/** Frames that are nearly right, so that the fuzz gets past the decoder. */
const plausible = fc.oneof(
  fc
    .record({ alias: fc.nat(3), id8: fc.nat(255), content: bytes })
    .map(({ alias, id8, content }) => encodeShort({ kind: ShortKind.PUBLISH_RELIABLE, alias, id8, content })),
  fc
    .record({ alias: fc.nat(3), id8: fc.nat(255), count: fc.integer({ min: 1, max: 4 }), readings: bytes })
    .map((batch) => encodeShort({ kind: ShortKind.PUBLISH_BATCH, ...batch })),
  fc
    .record({ id8: fc.nat(255), confirmed: fc.boolean(), credit: fc.option(fc.nat(255), { nil: undefined }) })
    .map((ack) => encodeShort({ kind: ShortKind.ACK, ...ack })),
  fc
    .record({ answer: fc.boolean(), session16: fc.constantFrom(0x0708, 1), id8: fc.nat(255) })
    .map((resume) => encodeShort({ kind: ShortKind.RESUME, ...resume })),
  fc
    .record({ last: fc.boolean(), id8: fc.nat(2), index: fc.nat(4), bytes })
    .map((fragment) => encodeShort({ kind: ShortKind.FRAGMENT, ...fragment })),
  fc.nat(300).map((messageId) => encodeMessage({ type: MessageType.ACK, timestamp: 0, messageId })),
  fc.nat(300).map((messageId) => encodeMessage({ ...reading(1), timestamp: 9, messageId })),
  fc.nat(300).map((messageId) =>
    encodeMessage({
      type: MessageType.ALIAS,
      timestamp: 0,
      messageId,
      entries: [{ aliasId: messageId & 3, topic: `t${messageId}`, layout: [] }],
    }),
  ),
);

const frames = fc.array(
  fc.oneof(
    bytes,
    plausible,
    fc.tuple(plausible, fc.nat(59), fc.nat(255)).map(([frame, at, byte]) => {
      const tampered = frame.slice();
      if (at < tampered.length) tampered[at] = byte;
      return tampered;
    }),
  ),
  { maxLength: 60 },
);

describe('whatever the peer sends', () => {
  test.each(['server', 'client'] as const)('never makes the machine of a %s throw or spin', (side) => {
    fc.assert(
      fc.property(frames, fc.constantFrom(tcp, wire), fc.boolean(), (received, transport, restored) => {
        const lone = loneSession({ side, restored, keepAliveMs: 30_000, limits: { unsettledMessages: 20 } });
        const { machine } = lone;
        machine.attach(transport, 0, 0);
        let now = 0;
        for (const [index, frame] of received.entries()) {
          now = index * 10;
          machine.frame(frame, now);
          if (index % 3 === 0) machine.sendReliable(reading(index), now);
          if (index % 2 === 0) machine.settle(machine.settled + 1, now);
          lone.tickUntil(now);
        }
        lone.tickUntil(now + 100_000);
        expect(machine.received - machine.settled).toBeLessThanOrEqual(transport.reliable ? 60 : 20);
        expect(lone.violations.length).toBeLessThanOrEqual(transport.reliable ? 1 : 0);
        if (lone.violations.length > 0) expect(machine.deadline).toBeUndefined();
      }),
      { numRuns: 500 },
    );
  });
});
