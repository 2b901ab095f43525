import { expect, test } from 'vitest';
import { busy } from '../../../src/broker/handshake.ts';
import { decodeMessage, encodeMessage } from '../../../src/wire/long-form.ts';

test('RETRY_AFTER of a clock with fractions goes out as whole milliseconds, and never too early', () => {
  expect(decodeMessage(encodeMessage(busy('later', 4999.3)))).toMatchObject({ retryAfter: 5000 });
});
