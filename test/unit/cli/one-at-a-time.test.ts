import { expect, test } from 'vitest';
import { oneAtATime } from '../../../src/cli/one-at-a-time.ts';
import { settle } from '../../support/peer.ts';

test('a storm of reloads runs one at a time, and once more for all that came meanwhile', async () => {
  const running: PromiseWithResolvers<void>[] = [];
  const call = oneAtATime(() => {
    running.push(Promise.withResolvers<void>());
    return running.at(-1)?.promise ?? Promise.resolve();
  });
  call();
  await settle();
  for (let n = 0; n < 100; n += 1) call();
  await settle();
  expect(running).toHaveLength(1);
  running[0]?.resolve();
  await settle();
  expect(running).toHaveLength(2);
  running[1]?.resolve();
  await settle();
  expect(running).toHaveLength(2);
  call();
  await settle();
  expect(running).toHaveLength(3);
});
