import { expect, test } from 'vitest';
import { concat, hex } from '../../../src/base/bytes.ts';
import { LongFormDelimiter } from '../../../src/wire/long-form.ts';
import { bytesOf, codeThrownBy } from '../../support/wire-vectors.ts';

const ping = bytesOf('0042 0000 00000000');

function delimiter(maxFrameBytes?: number): {
  readonly feed: (bytes: Uint8Array) => void;
  readonly frames: Uint8Array[];
} {
  const frames: Uint8Array[] = [];
  const delimiter = new LongFormDelimiter({ maxFrameBytes, onFrame: (frame) => frames.push(frame) });
  return { feed: (bytes) => delimiter.feed(bytes), frames };
}

test('messages that lie whole in a chunk are views on it', () => {
  const { feed, frames } = delimiter();
  const chunk = concat([ping, ping]);
  feed(chunk);
  expect(frames.map((frame) => frame.buffer === chunk.buffer)).toEqual([true, true]);
});

test('a message in pieces does not depend on the chunks it came in', () => {
  const { feed, frames } = delimiter();
  const chunk = bytesOf('0042 00');
  feed(chunk);
  chunk.fill(0xff);
  feed(bytesOf('00 00000000'));
  expect(frames.map(hex)).toEqual([hex(ping)]);
});

test('a message over the limit is refused as soon as its header is there, in one chunk or in pieces', () => {
  const header = bytesOf('0022 0100 00000000');
  expect(codeThrownBy(() => delimiter(256).feed(header))).toBe('HSK-1103');
  const { feed } = delimiter(256);
  feed(header.subarray(0, 7));
  expect(codeThrownBy(() => feed(header.subarray(7)))).toBe('HSK-1103');
});

test('the largest message passes byte by byte', () => {
  const { feed, frames } = delimiter();
  const largest = new Uint8Array(65_540);
  largest.set(bytesOf('0022 fffc'));
  for (const byte of largest) feed(Uint8Array.of(byte));
  expect(frames.map((frame) => frame.length)).toEqual([65_540]);
});

test('what waits for the rest of a message is told', () => {
  const delimiter = new LongFormDelimiter({ onFrame: () => undefined });
  delimiter.feed(concat([ping, ping.subarray(0, 5)]));
  expect(delimiter.pendingBytes).toBe(5);
  delimiter.feed(ping.subarray(5));
  expect(delimiter.pendingBytes).toBe(0);
});
