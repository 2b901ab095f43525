import { expect, test } from 'vitest';
import { TopicTable } from '../../../src/broker/topic-table.ts';
import { encodeMessage } from '../../../src/wire/long-form.ts';
import { PublishView } from '../../../src/wire/publish-view.ts';
import { publish } from '../../support/peer.ts';

const view = new PublishView();

/** A PUBLISH to `topic` as it is received. */
function received(topic: string): PublishView {
  expect(view.read(encodeMessage(publish(topic, undefined)), 0)).toBe(true);
  return view;
}

test('each of many topics has its value, also those that share a hash', () => {
  const topics = Array.from({ length: 60_000 }, (_, n) => `größe/${n.toString(36)}`);
  const table = new TopicTable<string>();
  const hashes = new Set<number>();
  for (const topic of topics) {
    const seen = received(topic);
    if (table.find(seen) !== undefined) throw new Error(`${topic} is there before it was added`);
    hashes.add(seen.topicHash);
    table.add(seen, topic);
  }
  expect(hashes.size).toBeLessThan(topics.length);
  const wrong = topics.filter((topic) => table.find(received(topic)) !== topic);
  expect(wrong).toEqual([]);
  expect(table.find(received('größe'))).toBeUndefined();
});

test('a topic that is asked for again and again is found while others are added', () => {
  const table = new TopicTable<number>();
  table.add(received('often'), -1);
  for (let n = 0; n < 1000; n += 1) {
    expect(table.find(received('often'))).toBe(-1);
    table.add(received(`other/${n}`), n);
  }
  expect(table.find(received('other/999'))).toBe(999);
});

test('nothing is found once it was cleared, and the same topics can be added anew', () => {
  const table = new TopicTable<number>();
  for (const round of [1, 2]) {
    for (let n = 0; n < 500; n += 1) table.add(received(`t/${n}`), round * n);
    expect(table.find(received('t/499'))).toBe(round * 499);
    table.clear();
    expect(table.find(received('t/499'))).toBeUndefined();
    expect(table.find(received('t/0'))).toBeUndefined();
  }
});
