import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { concat, utf8 } from '../../../src/base/bytes.ts';
import { describeFrame, describeSerial, frameToJson } from '../../../src/cli/describe-frame.ts';
import { encodeContent } from '../../../src/wire/content.ts';
import { encodeMessage } from '../../../src/wire/long-form.ts';
import { MessageType } from '../../../src/wire/numbers.ts';
import { encodeSerialFrame } from '../../../src/wire/serial-frame.ts';
import { connectToken } from '../../support/peer.ts';

const publish = encodeMessage({
  type: MessageType.PUBLISH,
  timestamp: 7,
  messageId: 3,
  topic: 'bed-1/temperature',
  retain: false,
  content: encodeContent([{ contentType: 0x8001, value: utf8('ab') }]),
});

describe('hashike decode', () => {
  test('tells every field of a long-form message', () => {
    expect(describeFrame(publish)).toEqual([
      `PUBLISH (long form, type 0x0022, ${publish.length} bytes)`,
      '  timestamp: 7',
      '  messageId: 3',
      '  topic: "bed-1/temperature"',
      '  retain: false',
      '  content 0x8001: 6162 (2 bytes)',
    ]);
  });

  test('tells bytes in hex, also those of a Buffer and within a will', () => {
    const frame = encodeMessage({
      ...connectToken('ab'),
      will: {
        topic: 'w',
        retain: false,
        content: encodeContent([{ contentType: 0x8001, value: utf8('cdef') }]),
      },
    });
    expect(describeFrame(Buffer.from(frame))).toEqual(
      expect.arrayContaining([
        '  token: 6162 (2 bytes)',
        '  will: {"topic":"w","retain":false,"content":"8001000463646566"}',
      ]),
    );
    expect(frameToJson(Buffer.from(frame))).toMatchObject({
      form: 'long',
      type: 'CONNECT_TOKEN',
      fields: { token: '6162', will: { content: '8001000463646566' } },
    });
    expect(JSON.stringify(frameToJson(frame.subarray(1)))).toMatch(/"fault":".*HSK-11/);
  });

  test('tells a short-form reading', () => {
    expect(describeFrame(Uint8Array.of(0x90, 5, 0xca, 0xfe))).toEqual([
      'PUBLISH_RELIABLE (short form, kind 1, 4 bytes)',
      '  alias: 0',
      '  id8: 5',
      '  content: cafe (2 bytes)',
    ]);
  });

  test('says what is wrong with a frame, with the code of the error', () => {
    expect(describeFrame(publish.subarray(0, 20)).join()).toMatch(/^not a frame: .*HSK-11/);
  });

  test('finds the frames of a serial line and says what it skipped', () => {
    const broken = encodeSerialFrame(Uint8Array.of(0xd0));
    broken[1] = (broken[1] ?? 0) ^ 1;
    const line = concat([encodeSerialFrame(Uint8Array.of(0xd0)), broken, encodeSerialFrame(publish)]);
    const lines = describeSerial(line);
    expect(lines[0]).toMatch(/^RESET/);
    expect(lines[1]).toMatch(/^skipped 5 bytes: /);
    expect(lines[2]).toMatch(/^PUBLISH /);
    expect(describeSerial(line.subarray(0, -1)).at(-1)).toBe('the last frame is not closed by 00');
  });

  test('takes any bytes without failing', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 64 }), (bytes) => {
        expect(describeFrame(bytes).length).toBeGreaterThan(0);
        expect(describeSerial(bytes).length).toBeGreaterThan(0);
      }),
      { numRuns: 2000 },
    );
  });
});
