import { setImmediate } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { WriteTurn } from '../../../src/links/write-turn.ts';

/** A turn of the event loop: each read makes one link write. Tells who had written after each read, and at the end. */
async function turn(writes: WriteTurn, links: readonly string[]): Promise<string[]> {
  const written: string[] = [];
  const seen: string[] = [];
  for (const name of links) {
    writes.atEnd({ flush: () => void written.push(name) });
    expect(written).not.toContain(name);
    writes.afterRead();
    seen.push(written.join(''));
  }
  await setImmediate();
  return [...seen, written.join('')];
}

test('what a read made is written at once while each turn has one', async () => {
  const writes = new WriteTurn();
  expect(await turn(writes, ['a'])).toEqual(['a', 'a']);
  expect(await turn(writes, ['b'])).toEqual(['b', 'b']);
});

test('where the last turn had several reads each link writes once, at the end', async () => {
  const writes = new WriteTurn();
  // That there is a second one shows when the first has written.
  expect(await turn(writes, ['a', 'b', 'c'])).toEqual(['a', 'a', 'a', 'abc']);
  expect(await turn(writes, ['a', 'b', 'c'])).toEqual(['', '', '', 'abc']);
  expect(await turn(writes, ['a'])).toEqual(['', 'a']);
  expect(await turn(writes, ['a'])).toEqual(['a', 'a']);
});

test('what is sent without a read is written at the end, and a read that makes nothing counts for nothing', async () => {
  const writes = new WriteTurn();
  const written: string[] = [];
  writes.afterRead();
  writes.afterRead();
  writes.atEnd({ flush: () => void written.push('a') });
  expect(written).toEqual([]);
  await setImmediate();
  expect(written).toEqual(['a']);
  writes.afterRead();
  expect(await turn(writes, ['b'])).toEqual(['b', 'b']);
});
