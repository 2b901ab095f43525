import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { ConfigError, parseConfig } from '../../src/config/load.ts';

const good = `gateway:
  name: barn
listen:
  tcp: { port: 7858 }
serial:
  - path: /dev/ttyUSB0
    baud: 9600
profiles:
  weather:
    contents:
      - { type: 0x8001, name: temperature, unit: Cel, encoding: i16, scale: 0.01 }
    aliases:
      - { alias: 0, topic: '{client}/weather', layout: [temperature] }
clients:
  - name: hut
    token: sha256:${'a'.repeat(64)}
    profile: weather
    publish: ['{client}/#']
`;

/** Errors other than ConfigError fail the property. */
function parse(text: string): void {
  try {
    expect(parseConfig(text, '/tmp/f.yaml').config.gateway.name).not.toBe('');
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    expect(error.problems.length).toBeGreaterThan(0);
    const lines = text.split('\n').length;
    for (const { line = 1, wrong, right } of error.problems) {
      expect(line).toBeGreaterThan(0);
      expect(line).toBeLessThanOrEqual(lines);
      expect([wrong, right]).not.toContain('');
    }
  }
}

test('a good file with a few characters changed is read, or its problems are told', () => {
  const change = fc.tuple(
    fc.nat(good.length - 1),
    fc.nat(3),
    fc.string({ unit: fc.constantFrom(...'\t\n :-[]{}&*!|>\'"%@`#,?0aA'.split('')), maxLength: 3 }),
  );
  fc.assert(
    fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), (changes) => {
      let text = good;
      for (const [at, remove, insert] of changes) text = text.slice(0, at) + insert + text.slice(at + remove);
      parse(text);
    }),
    { numRuns: 600 },
  );
});

test('any text at all is read, or its problems are told', () => {
  fc.assert(fc.property(fc.string({ maxLength: 80, unit: 'binary' }), parse), { numRuns: 300 });
});

test('any structure in the place of any key is read, or its problems are told', () => {
  const key = fc.constantFrom(
    'gateway',
    'log',
    'listen',
    'serial',
    'coap',
    'upstream',
    'profiles',
    'clients',
    'spool',
    'limits',
  );
  fc.assert(
    fc.property(fc.dictionary(key, fc.jsonValue({ maxDepth: 4 })), (value) => parse(JSON.stringify(value))),
    { numRuns: 300 },
  );
});
