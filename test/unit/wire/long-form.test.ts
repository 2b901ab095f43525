import { describe, expect, test } from 'vitest';
import { hex } from '../../../src/base/bytes.ts';
import { contentSections, encodeContent } from '../../../src/wire/content.ts';
import { decodeMessage, encodeMessage, peekType } from '../../../src/wire/long-form.ts';
import type { Message, Publish } from '../../../src/wire/message.ts';
import { MAX_PAYLOAD_BYTES, MessageType } from '../../../src/wire/numbers.ts';
import {
  encodePublishContents,
  publishFrame,
  publishFrameLength,
  writePublishFrame,
} from '../../../src/wire/publish.ts';
import { bytesOf, codeThrownBy } from '../../support/wire-vectors.ts';

const none = new Uint8Array();
const publish: Publish = {
  type: MessageType.PUBLISH,
  timestamp: 0,
  topic: 'a',
  retain: false,
  content: none,
};
const connect = { type: MessageType.CONNECT_TOKEN, timestamp: 0, confirm: false, aliases: [] } as const;

describe('what no message can say is not written', () => {
  const id = { timestamp: 0, messageId: 1 };
  const broken: [what: string, message: Message][] = [
    ['a PUBLISH with neither topic nor alias', { ...publish, topic: undefined }],
    ['a PUBLISH with both topic and alias', { ...publish, aliasId: 1 }],
    ['an alias above 255', { ...publish, topic: undefined, aliasId: 256 }],
    ['a negative expiry', { ...publish, expiry: -1 }],
    ['an expiry above 32 bits', { ...publish, expiry: 0x1_0000_0000 }],
    ['half a surrogate pair in a topic', { ...publish, topic: '\ud800' }],
    ['content that is not padded', { ...publish, content: new Uint8Array(5) }],
    ['a PUBLISH over the largest payload', { ...publish, content: new Uint8Array(MAX_PAYLOAD_BYTES) }],
    ['a MESSAGE_ID that is no integer', { type: MessageType.ACK, timestamp: 0, messageId: 1.5 }],
    ['a token without bytes', { ...connect, token: none }],
    ['a token of 1025 bytes', { ...connect, token: new Uint8Array(1025) }],
    ['a client name of 65 bytes', { ...connect, token: bytesOf('01'), clientName: 'x'.repeat(65) }],
    [
      'a version above 16 bits',
      { type: MessageType.CONNACK_FAILED_VERSION, timestamp: 0, versions: [65_536] },
    ],
    ['no version', { type: MessageType.CONNACK_FAILED_VERSION, timestamp: 0, versions: [] }],
    ['no filter', { type: MessageType.SUBSCRIBE, ...id, topics: [], bestEffort: false }],
    ['no alias entry', { type: MessageType.ALIAS, ...id, entries: [] }],
    [
      'a reason code above 16 bits',
      { type: MessageType.REJECTED, ...id, reason: { code: 65_536, text: '' } },
    ],
    [
      'a session id of 7 bytes',
      {
        type: MessageType.CONNECT_RESUME,
        ...id,
        sessionId: new Uint8Array(7),
        resumeKey: new Uint8Array(16),
      },
    ],
    [
      'a time above 2^53 - 1',
      { type: MessageType.CONNACK_RESUMED, ...id, serverTime: 2 * Number.MAX_SAFE_INTEGER },
    ],
    [
      'a layout with the rest before its end',
      {
        type: MessageType.ALIAS,
        ...id,
        entries: [
          {
            aliasId: 1,
            topic: 'a',
            layout: [
              { contentType: 0x8001, length: 0 },
              { contentType: 0x8002, length: 1 },
            ],
          },
        ],
      },
    ],
    [
      'a list of filters over the largest payload',
      { type: MessageType.SUBSCRIBE, ...id, topics: Array(64).fill('x'.repeat(1024)), bestEffort: false },
    ],
  ];

  test.each(broken)('%s', (_, message) => {
    expect(codeThrownBy(() => encodeMessage(message))).toBe('HSK-1105');
  });
});

describe('a delivery to many receivers', () => {
  const contents = encodePublishContents({
    ...publish,
    clientId: 'n',
    content: bytesOf('8001 0001 2a000000'),
  });

  test('shares everything but header and MESSAGE_ID', () => {
    expect(hex(contents)).toBe('0106000161000000010300016e000000800100012a000000');
    expect(hex(publishFrame(contents, 7, undefined))).toBe(`0022001800000007${hex(contents)}`);
    expect(hex(publishFrame(contents, 7, 0xffff_ffff))).toBe(
      `002200200000000701050004ffffffff${hex(contents)}`,
    );
  });

  test('is written into a buffer one after the other', () => {
    const out = new Uint8Array(2 * publishFrameLength(contents, 1));
    const end = writePublishFrame(out, writePublishFrame(out, 0, contents, 0, 1), contents, 0, 2);
    expect(end).toBe(out.length);
    expect(hex(out)).toBe(hex(publishFrame(contents, 0, 1)) + hex(publishFrame(contents, 0, 2)));
  });

  test('is refused when MESSAGE_ID makes it too long', () => {
    const largest = new Uint8Array(MAX_PAYLOAD_BYTES);
    expect(publishFrame(largest, 0, undefined).length).toBe(MAX_PAYLOAD_BYTES + 8);
    expect(codeThrownBy(() => publishFrame(largest, 0, 1))).toBe('HSK-1105');
  });
});

test('content and opaque values of a message are views on its frame', () => {
  const frame = encodeMessage({ ...publish, content: bytesOf('8001 0001 2a000000') });
  const read = decodeMessage(frame) as Publish;
  expect(read.content.buffer).toBe(frame.buffer);
});

test('a type is told from two bytes', () => {
  expect(peekType(bytesOf('0022'))).toBe(MessageType.PUBLISH);
  expect(peekType(bytesOf('00'))).toBeUndefined();
  expect(peekType(bytesOf('00ee'))).toBeUndefined();
});

describe('content', () => {
  test('is listed section by section', () => {
    expect(contentSections(bytesOf('8001 0001 2a000000 ffff 0000'))).toEqual([
      { contentType: 0x8001, value: bytesOf('2a') },
      { contentType: 0xffff, value: none },
    ]);
  });

  test.each([
    ['a section of the protocol', '0106 0001 61000000', 'HSK-1102'],
    ['padding that is not zero', '8001 0001 2a000001', 'HSK-1102'],
    ['a section cut short', '8001 0005 2a000000', 'HSK-1101'],
    ['half a header', '8001', 'HSK-1101'],
  ])('with %s is refused', (_, raw, code) => {
    expect(codeThrownBy(() => contentSections(bytesOf(raw)))).toBe(code);
  });

  test.each([
    ['a type of the protocol', { contentType: 0x7fff, value: none }],
    ['a type above 16 bits', { contentType: 0x1_0000, value: none }],
    ['a value longer than a message', { contentType: 0x8000, value: new Uint8Array(65_529) }],
  ])('with %s is not written', (_, section) => {
    expect(codeThrownBy(() => encodeContent([section]))).toBe('HSK-1105');
  });
});
