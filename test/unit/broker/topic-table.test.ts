import { expect, test } from 'vitest';
import { TopicTable, type TopicView } from '../../../src/broker/topic-table.ts';
import { receivedPublish } from '../../support/peer.ts';

test('each of many topics has its value, also those that share a hash', () => {
  const topics = Array.from({ length: 60_000 }, (_, n) => `größe/${n.toString(36)}`);
  const table = new TopicTable<string>();
  const hashes = new Set<number>();
  for (const topic of topics) {
    const seen = receivedPublish(topic);
    if (table.find(seen) !== undefined) throw new Error(`${topic} is there before it was added`);
    hashes.add(seen.topicHash);
    table.add(seen, topic);
  }
  expect(hashes.size).toBeLessThan(topics.length);
  const wrong = topics.filter((topic) => table.find(receivedPublish(topic)) !== topic);
  expect(wrong).toEqual([]);
  expect(table.find(receivedPublish('größe'))).toBeUndefined();
});

test('a topic that is asked for again and again is found while others are added', () => {
  const table = new TopicTable<number>();
  table.add(receivedPublish('often'), -1);
  for (let n = 0; n < 1000; n += 1) {
    expect(table.find(receivedPublish('often'))).toBe(-1);
    table.add(receivedPublish(`other/${n}`), n);
  }
  expect(table.find(receivedPublish('other/999'))).toBe(999);
});

test('nothing is found once it was cleared, and the same topics can be added anew', () => {
  const table = new TopicTable<number>();
  for (const round of [1, 2]) {
    for (let n = 0; n < 500; n += 1) table.add(receivedPublish(`t/${n}`), round * n);
    expect(table.find(receivedPublish('t/499'))).toBe(round * 499);
    table.clear();
    expect(table.find(receivedPublish('t/499'))).toBeUndefined();
    expect(table.find(receivedPublish('t/0'))).toBeUndefined();
  }
});

test('topics that are made to share a hash make nobody search for long, and none gets the value of another', () => {
  const table = new TopicTable<number>();
  let compared = 0;
  const hostile = (n: number): TopicView => {
    const view = receivedPublish(`hostile/${n}`);
    return {
      topic: view.topic,
      topicHash: 42,
      hasTopic(topics, from, length) {
        compared += 1;
        return view.hasTopic(topics, from, length);
      },
    };
  };
  for (const round of [1, 2]) {
    let most = 0;
    let found = 0;
    for (let n = 0; n < 2000; n += 1) {
      compared = 0;
      const value = table.find(hostile(n));
      most = Math.max(most, compared);
      if (value === undefined) table.add(hostile(n), n);
      else expect(value).toBe(n);
      found += value === undefined ? 0 : 1;
    }
    expect([round, found]).toEqual([round, round === 1 ? 0 : 64]);
    // The last one that was found, and those where it would be.
    expect(most).toBeLessThanOrEqual(65);
  }
  table.add(receivedPublish('good'), -1);
  expect(table.find(receivedPublish('good'))).toBe(-1);
});
