import { expect, test } from 'vitest';
import { concat, hex } from '../../../src/base/bytes.ts';
import { encodeSerialFrame, SerialDeframer } from '../../../src/wire/serial-frame.ts';
import { bytesOf } from '../../support/wire-vectors.ts';

const ping = bytesOf('c055');
const line = encodeSerialFrame(ping);

function deframer(maxFrameBytes = 16): {
  readonly feed: (...parts: Uint8Array[]) => void;
  readonly events: unknown[];
} {
  const events: unknown[] = [];
  const deframer = new SerialDeframer({
    maxFrameBytes,
    handler: {
      frame: (frame) => events.push(hex(frame)),
      discarded: (reason, bytes) => events.push(`${reason} ${bytes}`),
    },
  });
  return { feed: (...parts) => deframer.feed(concat(parts)), events };
}

test('the end of a frame that began before the port was opened is one event of its own', () => {
  const { feed, events } = deframer();
  feed(line.subarray(2), line, line.subarray(2), line);
  expect(events).toEqual([`leading ${line.length - 2}`, 'c055', `cobs ${line.length - 2}`, 'c055']);
});

test('a delimiter before the first frame ends what leads', () => {
  const { feed, events } = deframer();
  feed(bytesOf('00 55 00'), line);
  expect(events).toEqual(['cobs 2', 'c055']);
});

test('delimiters in a row are idle line, not frames', () => {
  const { feed, events } = deframer();
  feed(new Uint8Array(5), line, new Uint8Array(5), line);
  expect(events).toEqual(['c055', 'c055']);
});

test('endless noise is one event with all its bytes when it ends, and costs no memory', () => {
  const { feed, events } = deframer();
  feed(line);
  for (let chunk = 0; chunk < 100; chunk += 1) feed(new Uint8Array(1000).fill(0x41));
  expect(events).toEqual(['c055']);
  feed(Uint8Array.of(0), line);
  expect(events).toEqual(['c055', 'too-long 100001', 'c055']);
});

test('a frame as long as the MTU passes, one longer does not', () => {
  const { feed, events } = deframer(3);
  feed(line, encodeSerialFrame(bytesOf('010203')), encodeSerialFrame(bytesOf('01020304')), line);
  expect(events).toEqual(['c055', '010203', 'too-long 8', 'c055']);
});

test('a frame whose last group is full may be closed by an empty one', () => {
  const frame = new Uint8Array(252).fill(7);
  const usual = encodeSerialFrame(frame);
  const { feed, events } = deframer(252);
  feed(usual, usual.subarray(0, -1), bytesOf('01 00'));
  expect(events).toEqual([hex(frame), hex(frame)]);
});

test('what was handed on is not written to later', () => {
  const frames: Uint8Array[] = [];
  const deframer = new SerialDeframer({
    maxFrameBytes: 16,
    handler: { frame: (frame) => frames.push(frame), discarded: () => undefined },
  });
  deframer.feed(line);
  deframer.feed(encodeSerialFrame(bytesOf('c1aa')));
  expect(frames.map(hex)).toEqual(['c055', 'c1aa']);
});
