import { expect, test } from 'vitest';
import { goodput } from '../../support/session-goodput.ts';

test.each([
  // Here a reading is older than a second before it is sent, so that it takes three bytes more (clause 6.1.6).
  { baud: 300, loss: 0, least: 0.85 },
  { baud: 300, loss: 0.1, least: 0.7 },
  { baud: 9600, loss: 0, least: 0.98 },
  { baud: 9600, loss: 0.01, least: 0.95 },
  { baud: 9600, loss: 0.1, least: 0.75 },
  { baud: 115_200, loss: 0, least: 0.98 },
  { baud: 115_200, loss: 0.01, least: 0.9 },
  { baud: 115_200, loss: 0.1, least: 0.45 },
])('at $baud baud with $loss of the frames lost at least $least of the line carries readings', (line) => {
  const seconds = line.baud < 1000 ? 300 : 10;
  expect(goodput({ ...line, settleMs: 10, seconds })).toBeGreaterThan(line.least);
});
