import { describe, expect, test } from 'vitest';
import { compileProfiles, type ProfilesDescription } from '../../../src/profiles/profiles.ts';

const description: ProfilesDescription = {
  profiles: {
    weather: {
      contents: [
        { type: 0x8001, name: 'temperature', unit: 'Cel', encoding: 'i16', scale: 0.01 },
        { type: 0x8002, name: 'note', encoding: 'utf8' },
      ],
      aliases: [
        { alias: 3, topic: '{client}/weather', layout: ['temperature', 'note'] },
        { alias: 4, topic: 'all/raw', layout: [] },
      ],
      commands: ['{client}/set/#'],
    },
  },
  clients: [
    { name: 'hut', profile: 'weather', shared: false },
    { name: 'fleet', profile: 'weather', shared: true },
    { name: 'app', shared: false },
  ],
};
const profiles = compileProfiles(description);

test('aliases and commands are filled in for the client', () => {
  const hut = profiles.forClient('hut');
  expect(hut.aliases).toEqual([
    {
      aliasId: 3,
      topic: 'hut/weather',
      layout: [
        { contentType: 0x8001, length: 2 },
        { contentType: 0x8002, length: 0 },
      ],
    },
    { aliasId: 4, topic: 'all/raw', layout: [] },
  ]);
  expect(hut.commands).toEqual(['hut/set/#']);
});

test('clients that share a token have its profile under their own names', () => {
  expect(profiles.forClient('fleet/car 1').commands).toEqual(['fleet/car 1/set/#']);
  expect(profiles.forClient('fleet').names).toEqual([]);
  expect(profiles.forClient('hut/pretender').names).toEqual([]);
});

test.each(['app', 'stranger'])('%s has the empty profile', (clientId) => {
  const profile = profiles.forClient(clientId);
  expect([profile.names, profile.aliases, profile.commands]).toEqual([[], [], []]);
});

const names = (topic: string): readonly string[] | undefined =>
  profiles.layoutOf(topic)?.map(({ name }) => name);

describe('the layout of a topic is found', () => {
  test.each(['hut/weather', 'fleet/car 1/weather'])('for %s', (topic) => {
    expect(names(topic)).toEqual(['temperature', 'note']);
  });

  test.each(['all/raw', 'app/weather', 'fleet/weather', 'fleet/a/b/weather', 'hut/weather/x'])(
    'not for %s',
    (topic) => expect(names(topic)).toBeUndefined(),
  );
});

describe('a profile that contradicts itself is refused', () => {
  const weather = { contents: [], aliases: [], commands: [], ...description.profiles['weather'] };

  test.each([
    ['a layout with an unknown name', { aliases: [{ alias: 1, topic: 'x', layout: ['humidity'] }] }],
    [
      'a layout with an open end in the middle',
      { aliases: [{ alias: 1, topic: 'x', layout: ['note', 'temperature'] }] },
    ],
  ])('%s', (_, change) => {
    expect(() => compileProfiles({ profiles: { weather: { ...weather, ...change } }, clients: [] })).toThrow(
      expect.objectContaining({ code: 'HSK-2303' }),
    );
  });

  test('a client with a profile that is not there', () => {
    const clients = [{ name: 'a', profile: 'b', shared: false }];
    expect(() => compileProfiles({ profiles: {}, clients })).toThrow(
      expect.objectContaining({ code: 'HSK-2303' }),
    );
  });
});
