import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { type Log, silentLog } from '../../../src/base/log.ts';
import type { Spool } from '../../../src/spool/ports.ts';
import { openSpool } from '../../../src/spool/spool.ts';
import { publicationOf } from '../../support/publications.ts';
import { openTempSpool, spoolOptions } from '../../support/temp-spool.ts';

let base = '';
let directory = '';
let file = '';

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'hashike-spool-'));
  directory = join(base, 'state', 'spool');
  file = join(directory, 'spool.db');
});
afterEach(() => rmSync(base, { recursive: true, force: true }));

async function open(): Promise<Spool> {
  return openSpool(spoolOptions(directory));
}

async function fill(records = 50): Promise<void> {
  const spool = await open();
  const publication = publicationOf(1, { content: new Uint8Array(1000).fill(0x55) });
  await spool.append(Array.from({ length: records }, () => ({ consumer: 'cloud', publication })));
  await spool.close();
}

function sql(statement: string): void {
  const database = new DatabaseSync(file);
  database.exec(statement);
  database.close();
}

describe('opening a spool', () => {
  test('makes files that only their owner may read, in a directory that only the owner may enter', async () => {
    const umask = process.umask(0);
    try {
      const spool = await open();
      expect(statSync(directory).mode & 0o777).toBe(0o700);
      for (const name of [file, `${file}-wal`]) expect(statSync(name).mode & 0o777).toBe(0o600);
      await spool.close();
    } finally {
      process.umask(umask);
    }
  });

  test('warns of a directory that others may enter', async () => {
    mkdirSync(directory, { recursive: true });
    chmodSync(directory, 0o755);
    const warnings: string[] = [];
    const log: Log = { ...silentLog, warn: (_fields, text) => warnings.push(text) };
    await (await openSpool(spoolOptions(directory, { log }))).close();
    expect(warnings).toEqual([expect.stringContaining('chmod 0700')]);
  });

  test('is refused with HSK-2202 while the same process has it open, and the first goes on', async () => {
    const first = await open();
    await expect(open()).rejects.toMatchObject({ code: 'HSK-2202' });
    await first.append([{ consumer: 'cloud', publication: publicationOf(1) }]);
    await expect(open()).rejects.toMatchObject({ code: 'HSK-2202' });
    await first.close();
    await (await open()).close();
  });

  test('is refused with HSK-2202 while another process has it open, and works once that one was killed', async () => {
    const holder = `
      import { openSpool } from ${JSON.stringify(new URL('../../../src/spool/spool.ts', import.meta.url).href)};
      import { spoolOptions } from ${JSON.stringify(new URL('../../support/temp-spool.ts', import.meta.url).href)};
      await openSpool(spoolOptions(${JSON.stringify(directory)}));
      console.log('open');`;
    const program = join(base, 'holder.mjs');
    writeFileSync(program, holder);
    const child = spawn(process.execPath, [program], { stdio: ['ignore', 'pipe', 'inherit'] });
    try {
      await Promise.race([once(child.stdout, 'data'), once(child, 'exit')]);
      expect(child.exitCode).toBeNull();
      await expect(open()).rejects.toMatchObject({ code: 'HSK-2202' });
    } finally {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    await (await open()).close();
  });

  test('is refused with HSK-2203 when a newer version wrote the files', async () => {
    await fill();
    sql('PRAGMA user_version = 99');
    await expect(open()).rejects.toMatchObject({ code: 'HSK-2203', context: { found: 99, supported: 2 } });
  });

  test('takes up files of version 1, which retained nothing', async () => {
    await fill(3);
    sql('DROP TABLE retained; PRAGMA user_version = 1');
    const first = await open();
    expect(first.consumer('cloud').depth.messages).toBe(3);
    expect(await first.loadRetained()).toEqual([]);
    await first.saveRetained('t', publicationOf(1, { topic: 't' }));
    await first.close();
    const second = await open();
    expect(await second.loadRetained()).toMatchObject([{ topic: 't' }]);
    await second.close();
  });

  test('leaves out, and deletes, what is retained and cannot be decoded', async () => {
    const first = await open();
    await first.saveRetained('bad', publicationOf(1, { topic: 'bad' }));
    await first.saveRetained('good', publicationOf(2, { topic: 'good' }));
    await first.close();
    sql("UPDATE retained SET body = x'00' WHERE topic = 'bad'");
    for (const errors of [1, 0]) {
      const logged: string[] = [];
      const log: Log = { ...silentLog, error: (_fields, text) => logged.push(text) };
      const spool = await openSpool(spoolOptions(directory, { log }));
      expect(await spool.loadRetained()).toMatchObject([{ topic: 'good' }]);
      expect(logged).toHaveLength(errors);
      await spool.close();
    }
  });

  test('is refused with HSK-2204 when the file is something else', async () => {
    mkdirSync(directory, { recursive: true });
    writeFileSync(file, 'this is no database, but a text of some length'.repeat(100));
    await expect(open()).rejects.toMatchObject({ code: 'HSK-2204' });
    rmSync(file);
    sql('CREATE TABLE accounts (balance INTEGER)');
    await expect(open()).rejects.toMatchObject({ code: 'HSK-2204' });
  });

  test.each([
    ['overwritten in its middle', (bytes: Buffer) => bytes.fill(0xa5, 4096 * 4, 4096 * 5)],
    ['overwritten at its start', (bytes: Buffer) => bytes.fill(0, 0, 50)],
    ['cut off', (bytes: Buffer) => bytes.subarray(0, 4096 * 6)],
  ])('is refused with HSK-2204 when the file was %s, and leaves it as it is', async (_name, damage) => {
    await fill();
    const damaged = Buffer.from(damage(readFileSync(file)));
    writeFileSync(file, damaged);
    await expect(open()).rejects.toMatchObject({
      code: 'HSK-2204',
      cure: expect.stringContaining('nothing was deleted') as string,
    });
    expect(readFileSync(file).subarray(4096).equals(damaged.subarray(4096))).toBe(true);
  });

  test('is refused with HSK-2201 where there can be no directory', async () => {
    writeFileSync(join(base, 'state'), 'a file in the way');
    await expect(open()).rejects.toMatchObject({ code: 'HSK-2201' });
  });

  test('skips, counts and deletes a record whose bytes have rotted', async () => {
    await fill(3);
    sql('UPDATE record SET body = zeroblob(length(body)) WHERE seq = 2');
    const options = spoolOptions(directory);
    const spool = await openSpool(options);
    const records = await spool.consumer('cloud').read(0, 10);
    expect(records.map(({ seq }) => seq)).toEqual([1, 3]);
    await spool.close();
    const reason = { place: 'spool', reason: 'undecodable' };
    expect(options.counters.counter('dropped', reason).value).toBe(1);
    const reopened = await open();
    expect(reopened.consumer('cloud').depth.messages).toBe(2);
    await reopened.close();
  });

  test('takes up what a killed process left in the log', async () => {
    await fill(1);
    const spool = await open();
    await spool.append([{ consumer: 'cloud', publication: publicationOf(2) }]);
    const left = join(base, 'left');
    mkdirSync(left);
    for (const name of ['spool.db', 'spool.db-wal']) copyFileSync(join(directory, name), join(left, name));
    await spool.close();
    const recovered = await openSpool(spoolOptions(left));
    expect(recovered.consumer('cloud').depth.messages).toBe(2);
    await recovered.close();
  });

  test('closes with the log written back into the file', async () => {
    await fill();
    expect(existsSync(`${file}-wal`)).toBe(false);
  });
});

describe('the file of the spool', () => {
  test('does not grow while as much is acknowledged as is appended', async () => {
    await using temp = await openTempSpool();
    const cloud = temp.spool.consumer('cloud');
    const publication = publicationOf(1, { content: new Uint8Array(2000) });
    const sizes: number[] = [];
    for (let round = 0; round < 60; round += 1) {
      await temp.spool.append(Array.from({ length: 200 }, () => ({ consumer: 'cloud', publication })));
      const records = await cloud.read(0, 1000);
      await cloud.acknowledge(records.at(-1)?.seq ?? 0);
      const size = temp.options.counters.read().find(({ name }) => name === 'spool_file_bytes')?.value;
      sizes.push(size ?? 0);
    }
    // 60 rounds bring 24 MB; the log may hold 4 MB of them, and the file one round.
    expect(Math.max(...sizes)).toBeLessThan(7_000_000);
    expect(Math.max(...sizes.slice(30))).toBeLessThanOrEqual(Math.max(...sizes.slice(0, 30)));
  });
});

describe('the built package', () => {
  test('starts its worker too', async () => {
    const root = new URL('../../../', import.meta.url).pathname;
    const out = join(base, 'dist');
    const built = join(base, 'tsconfig.json');
    writeFileSync(
      built,
      JSON.stringify({
        extends: join(root, 'tsconfig.build.json'),
        compilerOptions: {
          outDir: out,
          rootDir: join(root, 'src'),
          typeRoots: [join(root, 'node_modules/@types')],
        },
        include: [],
        files: ['spool/spool.ts', 'spool/worker.ts', 'base/log.ts', 'base/random.ts'].map((path) =>
          join(root, 'src', path),
        ),
      }),
    );
    execFileSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', built], {
      stdio: 'pipe',
    });
    writeFileSync(join(out, 'package.json'), '{"type":"module"}');
    const script = `
      import { systemClock } from ${JSON.stringify(join(out, 'base/clock.js'))};
      import { Counters } from ${JSON.stringify(join(out, 'base/counters.js'))};
      import { silentLog } from ${JSON.stringify(join(out, 'base/log.js'))};
      import { systemRandom } from ${JSON.stringify(join(out, 'base/random.js'))};
      import { defaultSpoolLimits, openSpool } from ${JSON.stringify(join(out, 'spool/spool.js'))};
      const spool = await openSpool({ directory: ${JSON.stringify(directory)}, limits: defaultSpoolLimits, sessionKeepMs: 1,
        clock: systemClock, random: systemRandom, counters: new Counters(), log: silentLog });
      await spool.probe();
      await spool.close();
      console.log('probed');`;
    const program = join(base, 'program.mjs');
    writeFileSync(program, script);
    const output = execFileSync(process.execPath, [program], { encoding: 'utf8' });
    expect(output).toBe('probed\n');
  });
});
