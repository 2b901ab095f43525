import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { expect, test } from 'vitest';

import { openSpool } from '../../src/spool/spool.ts';
import { readAll, spoolOptions } from '../support/temp-spool.ts';

const ROUNDS = 10;
const NODES = [1, 2, 3];
const child = new URL('spool-child.ts', import.meta.url).pathname;

/** Runs the child until it has told about `bytes` more, kills it, and returns all it ever told. */
async function runAndKill(directory: string, output: string, bytes: number): Promise<string> {
  const sink = openSync(output, 'a');
  const process_ = spawn(process.execPath, [child, directory], { stdio: ['ignore', sink, 'inherit'] });
  closeSync(sink);
  const exited = once(process_, 'exit');
  const target = statSync(output).size + bytes;
  while (statSync(output).size < target && process_.exitCode === null) await sleep(1);
  process_.kill('SIGKILL');
  await exited;
  expect(process_.signalCode).toBe('SIGKILL');
  return readFileSync(output, 'utf8');
}

test('kill -9 at any moment loses nothing acknowledged, keeps order, and makes nothing twice', async () => {
  const base = mkdtempSync(join(tmpdir(), 'hashike-crash-'));
  const directory = join(base, 'spool');
  try {
    for (let round = 0; round < ROUNDS; round += 1) {
      const told = await runAndKill(directory, join(base, 'output'), Math.floor(Math.random() * 60_000));

      const acknowledged = new Map<number, number>();
      const recordOfSeq = new Map<number, { node: number; id: number }>();
      for (const line of told.split('\n')) {
        const [kind, ...numbers] = line.split(' ');
        const [first = 0, second = 0, third = 0] = numbers.map(Number);
        if (kind === 'A') acknowledged.set(first, Math.max(second, acknowledged.get(first) ?? 0));
        if (kind === 'D') recordOfSeq.set(first, { node: second, id: third });
      }

      const spool = await openSpool(spoolOptions(directory));
      const left = await readAll(spool.consumer('cloud'));
      expect(spool.consumer('cloud').depth.messages).toBe(left.length);
      for (const { seq, publication } of left) {
        const record = {
          node: Number(publication.origin.clientId.slice('node-'.length)),
          id: publication.origin.messageId ?? 0,
        };
        // What was delivered and not yet deleted is the same record still.
        expect(recordOfSeq.get(seq) ?? record).toEqual(record);
        recordOfSeq.set(seq, record);
      }
      const sessions = await spool.loadSessions();
      await spool.close();

      const ordered = [...recordOfSeq].sort(([a], [b]) => a - b).map(([, record]) => record);
      for (const node of NODES) {
        const ids = ordered.filter((record) => record.node === node).map(({ id }) => id);
        const mark = sessions.find(({ sessionId }) => sessionId[0] === node)?.received ?? 0;
        expect(ids, `node ${node} in round ${round}`).toEqual(ids.map((_, index) => index + 1));
        expect(ids.length, `records of node ${node} and its mark in round ${round}`).toBe(mark);
        expect(mark, `mark of node ${node} in round ${round}`).toBeGreaterThanOrEqual(
          acknowledged.get(node) ?? 0,
        );
      }
    }
  } finally {
    rmSync(base, { recursive: true, force: true });
  }
});
