import { describe, expect, test } from 'vitest';

import { hex } from '../../src/base/bytes.ts';
import type { StoredPublication, StoredSession } from '../../src/spool/ports.ts';
import { publicationOf } from '../support/publications.ts';
import { readAll, type TempSpool, type TempSpoolOptions } from '../support/temp-spool.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

const sessionId = new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8]);

function sessionOf(fields: Partial<StoredSession> = {}): StoredSession {
  return {
    sessionId,
    clientId: 'node-1',
    keyHash: new Uint8Array(32).fill(7),
    place: 'serial:/dev/ttyUSB0',
    received: 0,
    sent: 0,
    context: new Uint8Array([9, 8, 7]),
    updatedAt: Date.UTC(2026, 0, 1),
    ...fields,
  };
}

function reliable(consumer: string, ...ids: readonly number[]) {
  return ids.map((id) => ({ consumer, publication: publicationOf(id) }));
}

function bestEffort(consumer: string, ...ids: readonly number[]) {
  return ids.map((id) => ({ consumer, publication: publicationOf(id, { reliable: false }) }));
}

function idsOf(records: readonly StoredPublication[]): readonly (number | undefined)[] {
  return records.map(({ publication }) => publication.origin.messageId);
}

/** Whether `promise` has settled once everything else that was asked of the spool is done. */
async function isPending(temp: TempSpool, promise: Promise<unknown>): Promise<boolean> {
  let pending = true;
  promise.then(
    () => (pending = false),
    () => (pending = false),
  );
  await temp.spool.probe();
  await temp.spool.probe();
  return pending;
}

/** What every implementation of the spool's port does. */
export function spoolContract(name: string, open: (options?: TempSpoolOptions) => Promise<TempSpool>): void {
  describe(`${name} keeps the contract of a spool`, () => {
    test('gives back each publication with all its fields, in order, to each of its consumers', async () => {
      await using temp = await open();
      const full = publicationOf(1, {
        retain: true,
        expiresAt: Date.UTC(2200, 0, 1),
        responseTopic: 'answers/1',
        correlation: new Uint8Array([1, 2]),
        origin: { clientId: 'node-1', sessionId: 'ffeeddccbbaa9988', messageId: 1, part: 3 },
      });
      const bare = publicationOf(2, { reliable: false, origin: { clientId: 'coap' }, taken: { at: 5 } });
      await temp.spool.append([
        { consumer: 'cloud', publication: full },
        { consumer: 'archive', publication: full },
        { consumer: 'cloud', publication: bare },
      ]);
      const cloud = await readAll(temp.spool.consumer('cloud'));
      expect(cloud.map(({ publication }) => publication)).toEqual([full, bare]);
      const archive = await readAll(temp.spool.consumer('archive'));
      expect(archive.map(({ publication }) => publication)).toEqual([full]);
    });

    test('keeps records, depth and identity over a restart', async () => {
      await using temp = await open();
      await temp.spool.append([...reliable('cloud', 1, 2, 3), ...reliable('archive', 4)]);
      const { id } = temp.spool;
      const depth = temp.spool.consumer('cloud').depth;
      expect(depth.messages).toBe(3);
      expect(depth.bytes).toBeGreaterThan(0);
      await temp.reopen();
      expect(id).toMatch(/^[0-9a-f]{16}$/);
      expect(temp.spool.id).toBe(id);
      expect(temp.spool.consumer('cloud').depth).toEqual(depth);
      expect(temp.spool.depths()).toContainEqual({ consumer: 'cloud', ...depth });
      expect(idsOf(await readAll(temp.spool.consumer('cloud')))).toEqual([1, 2, 3]);
      expect(idsOf(await readAll(temp.spool.consumer('archive')))).toEqual([4]);
    });

    test('reads in bounded rounds after a given record', async () => {
      await using temp = await open();
      await temp.spool.append(reliable('cloud', 1, 2, 3, 4, 5));
      const cloud = temp.spool.consumer('cloud');
      const first = await cloud.read(0, 2);
      expect(idsOf(first)).toEqual([1, 2]);
      expect(idsOf(await cloud.read(first[1]?.seq ?? 0, 10))).toEqual([3, 4, 5]);
      expect(await cloud.read(1_000_000, 10)).toEqual([]);
      expect(await temp.spool.consumer('nobody').read(0, 10)).toEqual([]);
    });

    test('reads no more than about a mebibyte at once', async () => {
      await using temp = await open();
      const large = publicationOf(1, { content: new Uint8Array(300_000) });
      await temp.spool.append(Array.from({ length: 5 }, () => ({ consumer: 'cloud', publication: large })));
      const cloud = temp.spool.consumer('cloud');
      const first = await cloud.read(0, 10);
      expect(first).toHaveLength(4);
      expect(await cloud.read(first.at(-1)?.seq ?? 0, 10)).toHaveLength(1);
    });

    test('deletes up to an acknowledged record, and that one consumer only', async () => {
      await using temp = await open();
      await temp.spool.append([...reliable('cloud', 1, 2, 3), ...reliable('archive', 1, 2, 3)]);
      const cloud = temp.spool.consumer('cloud');
      const [, second] = await readAll(cloud);
      await cloud.acknowledge(second?.seq ?? 0);
      expect(cloud.depth.messages).toBe(1);
      expect(idsOf(await readAll(cloud))).toEqual([3]);
      await temp.reopen();
      expect(temp.spool.consumer('cloud').depth.messages).toBe(1);
      expect(idsOf(await readAll(temp.spool.consumer('archive')))).toEqual([1, 2, 3]);
    });

    test('discards single records, and tells how many were there', async () => {
      await using temp = await open();
      await temp.spool.append([...reliable('cloud', 1, 2, 3, 4), ...reliable('archive', 1, 2)]);
      const cloud = temp.spool.consumer('cloud');
      const [, second, third] = (await readAll(cloud)).map(({ seq }) => seq);
      expect(await cloud.discard([second ?? 0, third ?? 0, 1_000_000])).toBe(2);
      expect(await cloud.discard([second ?? 0])).toBe(0);
      expect(cloud.depth.messages).toBe(2);
      await temp.reopen();
      expect(idsOf(await readAll(temp.spool.consumer('cloud')))).toEqual([1, 4]);
      expect(idsOf(await readAll(temp.spool.consumer('archive')))).toEqual([1, 2]);
    });

    test('is as deep as nothing once everything is acknowledged', async () => {
      await using temp = await open();
      await temp.spool.append(reliable('cloud', 1, 2));
      const cloud = temp.spool.consumer('cloud');
      await cloud.acknowledge((await readAll(cloud)).at(-1)?.seq ?? 0);
      expect(cloud.depth).toEqual({ messages: 0, bytes: 0 });
    });

    test('never uses a sequence number twice, not even after a restart with nothing left', async () => {
      await using temp = await open();
      await temp.spool.append(reliable('cloud', 1, 2, 3));
      const before = (await readAll(temp.spool.consumer('cloud'))).at(-1)?.seq ?? 0;
      await temp.spool.consumer('cloud').acknowledge(before);
      await temp.reopen();
      await temp.spool.append(reliable('cloud', 4));
      const [after] = await readAll(temp.spool.consumer('cloud'));
      expect(after?.seq).toBe(before + 1);
    });

    test('tells a consumer of each commit that added records for it, until told to stop', async () => {
      await using temp = await open();
      const calls: string[] = [];
      const stop = temp.spool.consumer('cloud').onAppended(() => calls.push('cloud'));
      temp.spool.consumer('archive').onAppended(() => calls.push('archive'));
      await temp.spool.append(reliable('cloud', 1));
      expect(calls).toEqual(['cloud']);
      stop();
      await temp.spool.append([...reliable('cloud', 2), ...reliable('archive', 2)]);
      expect(calls).toEqual(['cloud', 'archive']);
    });

    test('5.2.3: commits the mark of a session with what it received', async () => {
      await using temp = await open();
      await temp.spool.saveSession(sessionOf());
      await temp.spool.append(reliable('cloud', 17), { sessionId, received: 17 });
      await temp.spool.append([], { sessionId, received: 18 });
      await temp.reopen();
      expect(await temp.spool.loadSessions()).toMatchObject([{ received: 18 }]);
    });

    test('commits what a session acknowledged with the deletion', async () => {
      await using temp = await open();
      await temp.spool.saveSession(sessionOf());
      await temp.spool.append(reliable('node-1', 1));
      const node = temp.spool.consumer('node-1');
      await node.acknowledge((await readAll(node))[0]?.seq ?? 0, { sessionId, messageId: 41 });
      await temp.reopen();
      expect(await temp.spool.loadSessions()).toMatchObject([{ sent: 41, received: 0 }]);
    });

    test('gives back sessions with all their fields, the newest version of each', async () => {
      await using temp = await open({ clock: new VirtualClock() });
      const other = sessionOf({ sessionId: new Uint8Array(8).fill(9), place: undefined, clientId: 'app' });
      await temp.spool.saveSession(sessionOf({ received: 1 }));
      await temp.spool.saveSession(sessionOf({ received: 2, context: new Uint8Array(500) }));
      await temp.spool.saveSession(other);
      await temp.reopen();
      expect(await temp.spool.loadSessions()).toEqual([
        sessionOf({ received: 2, context: new Uint8Array(500) }),
        other,
      ]);
    });

    test('forgets a session, and a mark that comes after it is no error', async () => {
      await using temp = await open();
      await temp.spool.saveSession(sessionOf());
      await temp.spool.forgetSession(sessionId);
      await temp.spool.append(reliable('cloud', 1), { sessionId, received: 1 });
      expect(await temp.spool.loadSessions()).toEqual([]);
      expect(temp.spool.consumer('cloud').depth.messages).toBe(1);
    });

    test('purges and counts sessions that were not written for longer than the setting', async () => {
      const clock = new VirtualClock();
      await using temp = await open({ clock, sessionKeepMs: 1000 });
      const young = new Uint8Array(8).fill(2);
      await temp.spool.saveSession(sessionOf({ updatedAt: clock.wall() }));
      await temp.spool.saveSession(sessionOf({ sessionId: young, updatedAt: clock.wall() }));
      clock.stepWall(800);
      await temp.spool.append([], { sessionId: young, received: 1 });
      clock.stepWall(800);
      const sessions = await temp.spool.loadSessions();
      expect(sessions.map((each) => hex(each.sessionId))).toEqual([hex(young)]);
      expect(temp.counted('dropped', { place: 'spool', reason: 'session-too-old' })).toBe(1);
    });

    test('skips, deletes and counts what has expired, also where nothing else is left', async () => {
      const clock = new VirtualClock();
      await using temp = await open({ clock });
      const expiresAt = clock.wall() + 1000;
      const expiring = (id: number) => ({
        consumer: 'cloud',
        publication: publicationOf(id, { expiresAt }),
      });
      await temp.spool.append([expiring(1), ...reliable('cloud', 2), expiring(3)]);
      const cloud = temp.spool.consumer('cloud');
      expect(idsOf(await readAll(cloud))).toEqual([1, 2, 3]);
      clock.advance(1000);
      expect(idsOf(await readAll(cloud))).toEqual([2]);
      expect(idsOf(await readAll(cloud))).toEqual([2]);
      expect(await cloud.read(2, 1)).toEqual([]);
      await temp.reopen();
      expect(temp.counted('dropped', { place: 'spool', reason: 'expired' })).toBe(2);
      expect(temp.spool.consumer('cloud').depth.messages).toBe(1);
    });

    test('holds reliable appends of a full consumer back until there is room, in order, and not those of others', async () => {
      await using temp = await open({ limits: { maxBytesPerConsumer: 200 } });
      const { spool } = temp;
      const cloud = spool.consumer('cloud');
      expect(spool.isFull('cloud')).toBe(false);
      await spool.append(reliable('cloud', 1, 2, 3, 4));
      expect(spool.isFull('cloud')).toBe(true);
      const fifth = spool.append(reliable('cloud', 5));
      const sixth = spool.append(reliable('cloud', 6));
      expect(await isPending(temp, fifth)).toBe(true);
      expect(spool.isFull('archive')).toBe(false);
      await spool.append(reliable('archive', 7));
      await cloud.acknowledge((await readAll(cloud)).at(-1)?.seq ?? 0);
      await Promise.all([fifth, sixth]);
      expect(idsOf(await readAll(cloud))).toEqual([5, 6]);
      expect(spool.isFull('cloud')).toBe(false);
    });

    test('never keeps a later append of a session before an earlier one that waits for room', async () => {
      await using temp = await open({ limits: { maxBytesPerConsumer: 200 } });
      const { spool } = temp;
      await spool.saveSession(sessionOf());
      await spool.append(reliable('cloud', 1, 2, 3, 4), { sessionId, received: 4 });
      const fifth = spool.append(reliable('cloud', 5), { sessionId, received: 5 });
      const sixth = spool.append(reliable('archive', 6), { sessionId, received: 6 });
      expect(await isPending(temp, sixth)).toBe(true);
      expect(await spool.loadSessions()).toMatchObject([{ received: 4 }]);
      const cloud = spool.consumer('cloud');
      await cloud.acknowledge((await readAll(cloud)).at(-1)?.seq ?? 0);
      await Promise.all([fifth, sixth]);
      expect(await spool.loadSessions()).toMatchObject([{ received: 6 }]);
    });

    test('drops and counts best-effort records from half of the quota on, and keeps that half for reliable ones', async () => {
      await using temp = await open({ limits: { maxBytesPerConsumer: 2000 } });
      for (let id = 1; id <= 100; id += 1) await temp.spool.append(bestEffort('cloud', id));
      await temp.spool.append(reliable('cloud', 101));
      const ids = idsOf(await readAll(temp.spool.consumer('cloud')));
      expect(ids.at(-1)).toBe(101);
      const kept = ids.length - 1;
      expect(kept).toBeGreaterThan(5);
      expect(temp.spool.consumer('cloud').depth.bytes).toBeLessThan(1200);
      expect(temp.counted('dropped', { place: 'spool', reason: 'over-quota' })).toBe(100 - kept);
    });

    test('commits best-effort records within a second, though nobody waits for it', async () => {
      const clock = new VirtualClock();
      await using temp = await open({ clock });
      const cloud = temp.spool.consumer('cloud');
      const appended = new Promise<void>((resolve) => cloud.onAppended(resolve));
      await temp.spool.append(bestEffort('cloud', 1, 2));
      expect(cloud.depth.messages).toBe(0);
      clock.advance(1000);
      await appended;
      expect(cloud.depth.messages).toBe(2);
    });

    test('commits best-effort records on close', async () => {
      await using temp = await open({ clock: new VirtualClock() });
      await temp.spool.append(bestEffort('cloud', 1));
      await temp.reopen();
      expect(temp.spool.consumer('cloud').depth.messages).toBe(1);
    });

    test('bounds what waits in memory: refuses reliable appends, drops and counts best-effort ones', async () => {
      await using temp = await open({ limits: { maxBytesPerConsumer: 100, maxBytesWaiting: 2000 } });
      const { spool } = temp;
      await spool.append(reliable('cloud', 1, 2));
      const waiting = [3, 4].map((id) => spool.append(reliable('cloud', id)));
      expect(spool.isFull('archive')).toBe(false);
      waiting.push(...[5, 6, 7, 8, 9].map((id) => spool.append(reliable('cloud', id))));
      expect(spool.isFull('archive')).toBe(true);
      await expect(spool.append(reliable('archive', 10))).rejects.toMatchObject({ code: 'HSK-2207' });
      await spool.append(bestEffort('archive', 13, 14, 15, 16, 17));
      expect(temp.counted('dropped', { place: 'spool', reason: 'memory-full' })).toBe(5);
      const closing = spool.close();
      const settled = await Promise.allSettled(waiting);
      await closing;
      for (const each of settled) {
        expect(each).toMatchObject({ status: 'rejected', reason: { code: 'HSK-2208' } });
      }
    });

    test('refuses a publication that cannot be kept and keeps nothing of its append', async () => {
      await using temp = await open();
      const wrong = publicationOf(2, { taken: { at: Number.NaN } });
      const append = temp.spool.append([...reliable('cloud', 1), { consumer: 'cloud', publication: wrong }]);
      await expect(append).rejects.toMatchObject({ code: 'HSK-1105' });
      expect(await readAll(temp.spool.consumer('cloud'))).toEqual([]);
    });

    test('5.9.1: gives back after a restart what was retained last for each topic', async () => {
      await using temp = await open();
      const { spool } = temp;
      const content = new Uint8Array([0x80, 0, 0, 1, 9, 0, 0, 0]);
      const kept = (id: number, topic: string, isReliable = true) =>
        publicationOf(id, { topic, content, retain: true, reliable: isReliable });
      await Promise.all([
        spool.saveRetained('a', kept(1, 'a')),
        spool.saveRetained('b', kept(2, 'b')),
        spool.saveRetained('c', kept(3, 'c')),
        spool.saveRetained('a', kept(4, 'a', false)),
        spool.saveRetained('b', undefined),
        spool.saveRetained('never', undefined),
      ]);
      await temp.reopen();
      const loaded = await temp.spool.loadRetained();
      expect(loaded.toSorted((x, y) => (x.topic < y.topic ? -1 : 1))).toEqual([
        kept(4, 'a', false),
        kept(3, 'c'),
      ]);
      await temp.spool.close();
      await expect(temp.spool.saveRetained('a', undefined)).rejects.toMatchObject({ code: 'HSK-2208' });
    });

    test('answers a probe', async () => {
      await using temp = await open();
      await expect(temp.spool.probe()).resolves.toBeUndefined();
    });

    test('keeps what was asked before close, refuses what is asked after it, and closes once', async () => {
      await using temp = await open();
      const { spool } = temp;
      const append = spool.append(reliable('cloud', 1));
      await Promise.all([spool.close(), spool.close(), append]);
      const closed = { code: 'HSK-2208' };
      await expect(spool.append(reliable('cloud', 2))).rejects.toMatchObject(closed);
      await expect(spool.saveSession(sessionOf())).rejects.toMatchObject(closed);
      await expect(spool.consumer('cloud').read(0, 1)).rejects.toMatchObject(closed);
      await expect(spool.consumer('cloud').acknowledge(1)).rejects.toMatchObject(closed);
      await expect(spool.probe()).rejects.toMatchObject(closed);
      await temp.reopen();
      expect(idsOf(await readAll(temp.spool.consumer('cloud')))).toEqual([1]);
    });

    test('keeps a thousand appends made at once in the order of their calls', async () => {
      await using temp = await open();
      await temp.spool.saveSession(sessionOf());
      const ids = Array.from({ length: 1000 }, (_, index) => index + 1);
      await Promise.all(
        ids.map((id) => temp.spool.append(reliable('cloud', id), { sessionId, received: id })),
      );
      expect(idsOf(await readAll(temp.spool.consumer('cloud')))).toEqual(ids);
      expect(await temp.spool.loadSessions()).toMatchObject([{ received: 1000 }]);
      expect(temp.counted('spool_commits')).toBeLessThan(20);
      expect(temp.counted('spool_records')).toBe(1000);
    });
  });
}
