import { describe, expect, test } from 'vitest';
import type { GatewayStatus } from '../../../src/admin/status.ts';
import { formatStatus } from '../../../src/cli/format-status.ts';

const now = 1_795_306_171_000;
const quiet: GatewayStatus = {
  gateway: 'barn',
  version: '1.2.3',
  pid: 42,
  startedAt: now - 3 * 3_600_000,
  links: [],
  clients: [],
  upstream: [],
  spool: [],
  counters: [],
};
const busy: GatewayStatus = {
  ...quiet,
  links: [
    {
      name: 'serial bed-1',
      state: 'open',
      detail: { path: '/dev/ttyUSB0', since: now - 90_000, bytesIn: 12_345, lastByteAt: now - 1500 },
    },
    { name: 'tcp', state: 'open', detail: { port: 7858 } },
  ],
  clients: [
    {
      client: 'bed-1',
      session: '31a84b257e20c400',
      state: 'away',
      link: 'serial bed-1',
      peer: '/dev/ttyUSB0',
      lastHeard: now - 400_000,
      roundTripMs: 5.987367,
      queuedBytes: 0,
      subscriptions: [],
    },
  ],
  upstream: [
    { name: 'upstream/mqtt', state: 'offline', detail: { queued: { messages: 7, bytes: 2_500_000 } } },
  ],
  spool: [
    { consumer: 'client/bed-1', messages: 0, bytes: 0 },
    { consumer: 'upstream/mqtt', messages: 7, bytes: 2_500_000 },
  ],
  counters: [
    { name: 'bytes_in', labels: { link: 'a' }, value: 10 },
    { name: 'bytes_in', labels: { link: 'b' }, value: 2000 },
    { name: 'dropped', labels: { place: 'serial bed-1', reason: 'crc' }, value: 3 },
    { name: 'dropped', labels: { place: 'session', reason: 'repeated' }, value: 120 },
    { name: 'dropped', labels: { place: 'spool', reason: 'session-too-old' }, value: 0 },
    { name: 'kept', labels: {}, value: 306 },
    { name: 'spool_commit_longest_ms', labels: {}, value: 68.865407 },
  ],
};

describe('the status for people', () => {
  test('has ages and sizes in their units, and drops with the most frequent first', () => {
    expect(formatStatus(busy, now)).toBe(`barn: hashike 1.2.3, process 42, up 3.0 h

links
  serial bed-1  open  path /dev/ttyUSB0, for 90 s, in 12 kB, last byte 1.5 s ago
  tcp           open  port 7858

clients
  bed-1  away  link serial bed-1, last heard 6.7 min ago, round trip 6 ms, queued 0 B

upstream
  upstream/mqtt  offline  queued (messages 7, 2.5 MB)

waiting on disk
  upstream/mqtt  7 messages, 2.5 MB

dropped
  120  session: repeated
    3  serial bed-1: crc

counters
  bytes in                 a: 10 B, b: 2.0 kB
  kept                     306
  spool commit longest ms  69 ms
`);
  });

  test('says of each part that there is none', () => {
    expect(formatStatus(quiet, now).match(/^ {2}none$/gm)).toHaveLength(6);
  });

  test.each([
    [0, '0 ms'],
    [999, '999 ms'],
    [1000, '1.0 s'],
    [119_999, '120 s'],
    [120_000, '2.0 min'],
    [7_200_000, '2.0 h'],
    [172_800_000, '2.0 days'],
    [-5000, '0 ms'],
  ])('an age of %d ms is %s', (ms, text) => {
    expect(formatStatus({ ...quiet, startedAt: now - ms }, now)).toContain(`, up ${text}\n`);
  });
});
