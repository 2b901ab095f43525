import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { HashikeError } from '../../src/base/errors.ts';
import { DatagramChannel } from '../../src/wire/datagram-channel.ts';
import { MAX_DATAGRAM_BYTES, messagesIn, readDatagram, widenPacketNumber } from '../../src/wire/datagram.ts';
import { DatagramWindow } from '../../src/wire/datagram-window.ts';
import { encodeMessage } from '../../src/wire/long-form.ts';
import { datagramByHand } from '../support/ccm.ts';
import { damaged, message } from '../support/wire-arbitraries.ts';

const key = fc.uint8Array({ minLength: 24, maxLength: 24 });
const connectionId = fc.uint8Array({ minLength: 2, maxLength: 8 });
const payload = fc.uint8Array({ maxLength: 200 });

/** What anything but a HashikeError would make of a test. */
function typed(action: () => unknown): HashikeError | undefined {
  try {
    action();
  } catch (error) {
    if (error instanceof HashikeError) return error;
    throw error;
  }
  return undefined;
}

describe('datagrams', () => {
  test('8.2.1: are what CCM by the book makes of them, and open on the other side alone', () => {
    fc.assert(
      fc.property(key, connectionId, payload, fc.boolean(), (secret, id, content, fromClient) => {
        const options = { connectionId: id, key: secret };
        const client = new DatagramChannel({ side: 'client', ...options });
        const server = new DatagramChannel({ side: 'server', ...options });
        const [sender, receiver] = fromClient ? [client, server] : [server, client];
        const datagram = sender.seal(content);
        const direction = fromClient ? 0 : 1;
        expect(datagram).toEqual(
          datagramByHand({ ...options, direction, packetNumber: 1, payload: content }),
        );
        expect(typed(() => sender.open(readDatagram(datagram)))?.code).toBe('HSK-1106');
        expect(Uint8Array.from(receiver.open(readDatagram(datagram)).payload)).toEqual(content);
        expect(typed(() => receiver.open(readDatagram(datagram)))?.code).toBe('HSK-1107');
      }),
    );
  });

  test('8.2.6: what is damaged, cut, foreign or random gives typed errors, and never another payload', () => {
    const secret = new Uint8Array(24).fill(7);
    const id = Uint8Array.of(1, 2);
    const client = new DatagramChannel({ side: 'client', connectionId: id, key: secret });
    const sealed = fc.uint8Array({ maxLength: 60 }).map((content) => client.seal(content));
    const input = fc.oneof(damaged(sealed), fc.uint8Array({ maxLength: MAX_DATAGRAM_BYTES + 20 }));
    fc.assert(
      fc.property(input, (bytes) => {
        const server = new DatagramChannel({ side: 'server', connectionId: id, key: secret });
        const error = typed(() => {
          const { payload: opened } = server.open(readDatagram(bytes));
          // Damage that undoes itself, or one that makes an older datagram.
          expect(opened.length).toBeLessThanOrEqual(60);
          messagesIn(opened);
        });
        expect(error === undefined || error.fault === 'peer').toBe(true);
      }),
      { numRuns: 5000 },
    );
  });

  test('8.1.3: the messages of a payload are those that were put in; cut anywhere else, it is refused', () => {
    fc.assert(
      fc.property(fc.array(message.map(encodeMessage), { maxLength: 5 }), fc.nat(), (messages, cut) => {
        const whole = Uint8Array.from(messages.flatMap((each) => [...each]));
        expect(messagesIn(whole)).toEqual(messages);
        const part = whole.subarray(0, cut % (whole.length + 1));
        const error = typed(() => expect(messages).toEqual(expect.arrayContaining([...messagesIn(part)])));
        expect([undefined, 'HSK-1101']).toContain(error?.code);
      }),
    );
  });

  test('8.2.2: a packet number is widened to itself wherever it is near the expected one', () => {
    const expected = fc.integer({ min: 0, max: 2 ** 31 });
    fc.assert(
      fc.property(expected, fc.integer({ min: -0x7fff, max: 0x8000 }), (next, distance) => {
        const number = Math.max(0, next + distance);
        expect(widenPacketNumber(number & 0xffff, next)).toBe(number);
      }),
    );
  });
});

describe('the replay window', () => {
  test('8.2.3: takes what a set of all numbers and a bound would take', () => {
    const step = fc.oneof(
      { weight: 6, arbitrary: fc.integer({ min: -70, max: 4 }) },
      { weight: 1, arbitrary: fc.integer({ min: 50, max: 5000 }) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
        const window = new DatagramWindow();
        const seen = new Set<number>();
        let highest = 0;
        for (const distance of steps) {
          const number = Math.max(0, highest + distance);
          const fresh = number > 0 && number > highest - 64 && !seen.has(number);
          expect(window.isFresh(number)).toBe(fresh);
          if (!fresh) continue;
          window.note(number);
          seen.add(number);
          highest = Math.max(highest, number);
          expect(window.highest).toBe(highest);
        }
      }),
      { numRuns: 500 },
    );
  });
});
