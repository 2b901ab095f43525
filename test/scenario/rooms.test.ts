import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { repositoryRoot } from '../../scripts/lib-findings.ts';
import { Rooms } from '../support/rooms.ts';
import { until } from '../support/until.ts';

const PATIENCE_MS = 20_000;

/** Somebody at a terminal. */
interface Person {
  readonly lines: readonly string[];
  readonly errors: readonly string[];
  readonly type: (line: string) => void;
  /** Gives the exit code. */
  readonly leave: () => Promise<unknown>;
}

let rooms: Rooms;

beforeAll(async () => {
  rooms = await Rooms.open();
});

afterAll(() => rooms[Symbol.asyncDispose]());

function person(...args: readonly string[]): Person {
  const program = rooms.chat(...args);
  const lines: string[] = [];
  const errors: string[] = [];
  createInterface({ input: program.stdout }).on('line', (line) => lines.push(line));
  createInterface({ input: program.stderr }).on('line', (line) => errors.push(line));
  const exit = once(program, 'exit');
  return {
    lines,
    errors,
    type: (line) => void program.stdin.write(`${line}\n`),
    leave: async () => {
      program.stdin.end();
      const [code] = (await exit) as unknown[];
      return code;
    },
  };
}

describe('the example of rooms, in terminals', () => {
  test('everybody in a room hears what is said there, and nobody outside does', async () => {
    const ann = person('ann', 'kitchen');
    const bob = person('bob', 'kitchen');
    const eve = person('eve', 'cellar');
    await Promise.all([ann, bob, eve].map(entered));
    ann.type('tea?');
    await until(() => bob.lines.includes('ann: tea?'), PATIENCE_MS, 'the question');
    bob.type('please');
    await until(() => ann.lines.includes('bob: please'), PATIENCE_MS, 'the answer');
    expect(ann.lines.filter((line) => !line.startsWith('*'))).toEqual(['ann: tea?', 'bob: please']);
    expect(await Promise.all([ann, bob, eve].map(({ leave }) => leave()))).toEqual([0, 0, 0]);
    expect(eve.lines.filter((line) => !line.startsWith('*'))).toEqual([]);
  });

  test('everybody in a room sees who is there, who comes and who leaves, and nobody of another room', async () => {
    const ann = person('ann', 'hall');
    await until(() => ann.lines.includes('* ann is here'), PATIENCE_MS, 'oneself');
    const bob = person('bob', 'hall');
    const eve = person('eve', 'attic');
    await until(() => ann.lines.includes('* bob is here'), PATIENCE_MS, 'who came');
    await until(() => bob.lines.includes('* ann is here'), PATIENCE_MS, 'who was there');
    expect(await bob.leave()).toBe(0);
    await until(() => ann.lines.includes('* bob left'), PATIENCE_MS, 'who left');
    await until(() => eve.lines.includes('* eve is here'), PATIENCE_MS, 'the other room');
    expect(await Promise.all([ann, eve].map(({ leave }) => leave()))).toEqual([0, 0]);
    expect(ann.lines).toEqual(['* you are in hall', '* ann is here', '* bob is here', '* bob left']);
    expect(eve.lines).toEqual(['* you are in attic', '* eve is here']);
  });

  test('a wrong token is refused with its code', async () => {
    const eve = person('--token', 'wrong', 'eve');
    expect(await eve.leave()).toBe(1);
    expect(eve.errors).toEqual([expect.stringMatching(/token.*HSK-3101/)]);
  });
});

describe('docs/client.md', () => {
  const page = readFileSync(join(repositoryRoot, 'docs/client.md'), 'utf8');
  const [first = '', ...more] = [...page.matchAll(/^```js\n(.*?)^```/gms)].map(([, code = '']) => code);
  const goodbye = 'await client.close();\n';
  const [before = '', after = ''] = [/^.*clientName: 'ann' \}\);\n/s, /await client\.close\(\);.*/s].map(
    (part) => part.exec(first)?.[0],
  );
  // The first one is whole; the others go on from its connection.
  const programs = [first, ...more.map((code) => before + code + after)];

  test('has an example of each thing that the client does', () => {
    for (const call of ['publish', 'subscribe', 'watch', 'subscribers', 'time', 'close'])
      expect(page).toMatch(new RegExp(`await \\w+\\.${call}\\(`));
    expect(after.startsWith(goodbye)).toBe(true);
    expect(programs.length).toBeGreaterThan(8);
  });

  test.each(programs.map((code, index) => [index + 1, code] as const))(
    'example %i prints what it says',
    (_, code) => {
      const promised = [...code.matchAll(/\/\/ → (.*)/g)].map(([, line]) => line);
      const printed = rooms.run(code.replace('hashike://127.0.0.1:7858', rooms.url));
      expect(printed.trimEnd().split('\n').filter(Boolean)).toEqual(promised);
    },
  );
});

function entered({ lines }: Pick<Person, 'lines'>): Promise<boolean> {
  return until(() => lines.some((line) => line.startsWith('* you are in')), PATIENCE_MS, 'the room');
}
