import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test, vi } from 'vitest';
import { HashikeError } from '../../../src/base/errors.ts';
import { loadConfigApart } from '../../../src/config/load-apart.ts';
import { loadConfig } from '../../../src/config/load.ts';

const directory = mkdtempSync(join(tmpdir(), 'hashike-config-'));
const file = join(directory, 'hashike.yaml');

afterAll(() => rmSync(directory, { recursive: true }));

describe('a configuration read by a process of its own', () => {
  test('is the same, value for value, and so are its warnings', async () => {
    writeFileSync(
      file,
      'gateway: { name: apart }\nclients: [{ name: a, certificate: node.example, expires: 2030-01-02 }]\n',
    );
    const loaded = loadConfig(file);
    expect(loaded.warnings).not.toEqual([]);
    expect(await loadConfigApart(file)).toStrictEqual(loaded);
  });

  test('has the same errors, with line and key', async () => {
    writeFileSync(file, 'gateway:\n  nmae: apart\n');
    const expected = thrownBy(() => loadConfig(file));
    const { code, message, cure } = await rejectionOf(loadConfigApart(file));
    expect({ code, message, cure }).toEqual({
      code: 'HSK-2401',
      message: expected.message,
      cure: expected.cure,
    });
    expect(message).toContain(`${file}:2:3: gateway.nmae:`);
  });

  test('says so where the file is not there', async () => {
    expect(await rejectionOf(loadConfigApart(join(directory, 'none')))).toMatchObject({ code: 'HSK-2402' });
  });

  test('is refused with HSK-2403 where no process can be started', async () => {
    vi.spyOn(process, 'execPath', 'get').mockReturnValue(join(directory, 'no-node'));
    try {
      expect(await rejectionOf(loadConfigApart(file))).toMatchObject({
        code: 'HSK-2403',
        message: expect.stringContaining('ENOENT') as string,
      });
    } finally {
      vi.restoreAllMocks();
    }
  });

  test('is refused with HSK-2403 where the system refuses a process at once', async () => {
    // A word that no argument of a process may hold: it stands for a lack of memory, which is thrown too.
    expect(await rejectionOf(loadConfigApart('a\0b'))).toMatchObject({ code: 'HSK-2403' });
  });

  test('is refused with HSK-2403 where the file never comes to its end', async () => {
    const pipe = join(directory, 'pipe');
    execFileSync('mkfifo', [pipe]);
    expect(await rejectionOf(loadConfigApart(pipe, 500))).toMatchObject({
      code: 'HSK-2403',
      message: expect.stringContaining('SIGTERM') as string,
    });
  });
});

function thrownBy(call: () => unknown): HashikeError {
  try {
    call();
  } catch (error) {
    if (error instanceof HashikeError) return error;
  }
  throw new Error('no HashikeError was thrown');
}

async function rejectionOf(promise: Promise<unknown>): Promise<HashikeError> {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof HashikeError) return error;
  throw new Error('it was not rejected with a HashikeError');
}
