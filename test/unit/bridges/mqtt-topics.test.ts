import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { HashikeError } from '../../../src/base/errors.ts';
import { TopicMap } from '../../../src/bridges/mqtt-topics.ts';

function mapOf(config: { readonly topic?: string; readonly commands?: string } = {}): TopicMap {
  return new TopicMap({
    gateway: 'gw',
    topic: config.topic ?? '{gateway}/{topic}',
    commands: config.commands ?? '{gateway}/commands/{topic}',
    status: '{gateway}/status',
  });
}

const anyTopic = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 30 })
  .filter((text) => !/[+#\0]/.test(text));

describe('TopicMap', () => {
  test('maps readings, commands and answers both ways', () => {
    const map = mapOf();
    expect(map.upstream('a/b')).toBe('gw/a/b');
    expect(map.commandFilter).toBe('gw/commands/#');
    expect(map.command('gw/commands/valve/1')).toBe('valve/1');
    expect(map.answerUpstream('answers/1')).toBe('gw/commands/answers/1');
    expect(map.answerLocal('gw/done/1')).toBe('done/1');
    expect(map.answerLocal('elsewhere/1')).toBeUndefined();
    expect(map.status).toBe('gw/status');
  });

  test('a command without a topic, or from elsewhere, is none', () => {
    const map = mapOf();
    for (const topic of ['gw/commands', 'gw/commands/', 'gw/other/x', 'commands/x']) {
      expect(map.command(topic)).toBeUndefined();
    }
  });

  test('a topic is put in as it is, whatever it holds', () => {
    const map = mapOf();
    expect(map.upstream('$&/{gateway}/{topic}/$1')).toBe('gw/$&/{gateway}/{topic}/$1');
    expect(map.command('gw/commands/$`')).toBe('$`');
  });

  test('a node writes neither commands, nor the status of the gateway, nor $-topics', () => {
    expect(mapOf().upstream('commands/valve')).toBeUndefined();
    expect(mapOf().upstream('commands')).toBeUndefined();
    expect(mapOf().upstream('status')).toBeUndefined();
    expect(mapOf({ topic: '{topic}' }).upstream('$SYS/broker')).toBeUndefined();
    expect(mapOf({ topic: '{topic}' }).upstream('gw/commands/x')).toBeUndefined();
    // What the configuration itself puts below $ is the operator's wish.
    expect(mapOf({ topic: '$aws/rules/r/{topic}' }).upstream('a')).toBe('$aws/rules/r/a');
  });

  test.each([
    { topic: 'fixed' },
    { topic: '{topic}/{topic}' },
    { topic: 'a/+/{topic}' },
    { commands: '{topic}/commands' },
    { commands: 'commands-{topic}' },
    { commands: 'commands' },
    { commands: '#/{topic}' },
  ])('templates that cannot work are said: %j', (config) => {
    expect(() => mapOf(config)).toThrow(expect.objectContaining({ code: 'HSK-4101' }));
  });

  test('what goes up under a mapped name comes back under the same one, and readings never become commands', () => {
    fc.assert(
      fc.property(anyTopic, anyTopic, (before, local) => {
        let map;
        try {
          map = mapOf({ topic: `${before}{topic}` });
        } catch (error) {
          expect(error).toBeInstanceOf(HashikeError);
          return;
        }
        const up = map.upstream(local);
        expect(map.command(map.answerUpstream(local))).toBe(local);
        if (up === undefined) return;
        expect(map.answerLocal(up)).toBe(local);
        expect(map.command(up)).toBeUndefined();
      }),
    );
  });
});
