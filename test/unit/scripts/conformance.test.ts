import { describe, expect, test } from 'vitest';
import { citedIn, clausesOf, evidenceIn } from '../../../scripts/lib-clauses.ts';
import { conformanceFindings, currentConformance, vectorFindings } from '../../../scripts/lib-conformance.ts';

const page = `# A protocol

## 1 Overview

1.1 It is _simple_. And more.

### 3.1 Message

\`\`\`
| 1.9 | no row but a picture |
\`\`\`

3.1.1 A type.

### 3.3 Messages

| type   | name |
| ------ | ---- |
| 0x0001 | A    |

## 9 Limits

| clause | what  | limit |
| ------ | ----- | ----- |
| 9.1    | topic | 1024  |
`;

test('clauses are numbered paragraphs, numbered rows, and tables under a heading', () => {
  expect(clausesOf(page)).toEqual([
    { number: '1.1', says: 'It is _simple_.' },
    { number: '3.1.1', says: 'A type.' },
    { number: '3.3', says: 'the table of Messages' },
    { number: '9.1', says: 'topic: 1024' },
  ]);
});

describe('a citation', () => {
  test.each([
    ['5.3.3: a node', ['5.3.3']],
    ['5.1.3, 6.3.1: a number', ['5.1.3', '6.3.1']],
    ['a number that skips one (5.1.3, 6.3.1)', ['5.1.3', '6.3.1']],
    ['everything arrives (clauses 5.1.3 and 5.4.1)', ['5.1.3', '5.4.1']],
    ['RoundTrip (clause 6.3.2, RFC 6298)', ['6.3.2']],
    ['everything arrives (clauses 6.2 to 6.6)', []],
    ['the bridge over MQTT 3.1.1', []],
    ['is answered 2.04 when it is on disk', []],
    ['exposes little: at most 2.0 of 10', []],
  ])('%s', (name, clauses) => {
    expect(citedIn(name)).toEqual(clauses);
  });

  test('stands in the name of a test or of a suite, also of one with a table of cases', () => {
    const source = `
      // 1.1: a comment
      describe('a suite (3.3)', () => {
        test('1.1: plain', () => {});
        test.each([1])('9.1: of %i', () => {});
        print('3.1.1: no test');
      });`;
    expect(evidenceIn('test/x.test.ts', source)).toEqual([
      { clause: '3.3', path: 'test/x.test.ts', line: 3, name: 'a suite' },
      { clause: '1.1', path: 'test/x.test.ts', line: 4, name: 'plain' },
      { clause: '9.1', path: 'test/x.test.ts', line: 5, name: 'of %i' },
    ]);
  });
});

describe('the check', () => {
  const clauses = clausesOf(page);
  const evidence = clauses.map(({ number }) => ({ clause: number, path: 'a.test.ts', line: 3, name: 'x' }));

  test('is content when every clause has a test or an argument', () => {
    expect(conformanceFindings({ clauses, evidence, argued: {} })).toEqual([]);
    expect(conformanceFindings({ clauses, evidence: evidence.slice(1), argued: { '1.1': 'why' } })).toEqual(
      [],
    );
  });

  test('fails when a clause has no test', () => {
    expect(conformanceFindings({ clauses, evidence: evidence.slice(1), argued: {} })).toMatchObject([
      { path: 'docs/protocol.md', rule: 'clause 1.1 has no test (It is _simple_.)' },
    ]);
  });

  test('fails when a test cites what is not there; a whole chapter may be cited and shows nothing', () => {
    const more = ['7.7', '3.1'].map((clause) => ({ clause, path: 'b.test.ts', line: 9, name: 'x' }));
    expect(conformanceFindings({ clauses, evidence: [...evidence, ...more], argued: {} })).toMatchObject([
      { path: 'b.test.ts', line: 9, rule: 'clause 7.7 is cited, which docs/protocol.md does not have' },
    ]);
  });

  test('fails when an argument is no longer needed', () => {
    expect(conformanceFindings({ clauses, evidence, argued: { '1.1': 'why', '4.4': 'gone' } })).toHaveLength(
      2,
    );
  });

  test('fails for each clause of the real page whose tests are taken away', () => {
    const real = currentConformance();
    const before = conformanceFindings(real).length;
    const cited = new Set(real.evidence.map(({ clause }) => clause));
    for (const { number } of real.clauses.filter(({ number }) => cited.has(number))) {
      const rest = real.evidence.filter(({ clause }) => clause !== number);
      expect([number, conformanceFindings({ ...real, evidence: rest }).length]).toEqual([number, before + 1]);
    }
  });
});

describe('a file of vectors', () => {
  test('is one that each implementation tests itself against, or has a reason not to', () => {
    expect(vectorFindings()).toEqual([]);
  });

  test('that nobody reads is found, for each implementation', () => {
    expect(vectorFindings(['unread.json']).map(({ rule }) => rule)).toEqual([
      'src/wire, for gateway and SDK is not tested against it',
      'firmware-sim is not tested against it',
      'the node in C is not tested against it',
    ]);
  });
});
