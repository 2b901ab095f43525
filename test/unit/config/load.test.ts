import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import {
  ConfigError,
  formatProblems,
  loadConfig,
  parseConfig,
  type Problem,
} from '../../../src/config/load.ts';

const hash = (letter: string): string => `sha256:${letter.repeat(64)}`;
const head = 'gateway:\n  name: barn\nlisten:\n  tcp: {}\n';
const folder = mkdtempSync(join(tmpdir(), 'hashike-config-'));
afterAll(() => rmSync(folder, { recursive: true }));

const clientOf = (name: string, letter: string): string =>
  `{ name: ${name}, token: '${hash(letter)}', profile: ${name}, subscribe: ['#'] }`;

function problemsOf(text: string): readonly Problem[] {
  try {
    parseConfig(text, join(folder, 'hashike.yaml'));
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

/** The problems as a user reads them, without the file. */
function linesOf(text: string): readonly string[] {
  return problemsOf(text).map((problem) => formatProblems('f', [problem]).replace(/^f:/, ''));
}

function warningsOf(text: string): readonly string[] {
  return parseConfig(text, 'f').warnings;
}

test('the shortest configuration has every default', () => {
  const { config, warnings } = parseConfig(head, 'f');
  expect(config).toMatchObject({
    gateway: { name: 'barn', stateDirectory: '/var/lib/hashike' },
    listen: { tcp: { host: '127.0.0.1', port: 7858 } },
    serial: [],
    limits: { messageBytes: 65_532 },
  });
  expect(warnings).toEqual([]);
});

describe('the sample that is installed', () => {
  const file = join(import.meta.dirname, '../../../systemd/hashike.yaml');

  test('is good', () => {
    expect(loadConfig(file).config.gateway.name).toBe('gateway');
  });

  test('is good with its examples switched on, but for the password file that is not there', () => {
    const text = readFileSync(file, 'utf8')
      .replaceAll(/^# (?=[a-z]+:|  )/gm, '')
      .replace('sha256:…', hash('a'));
    expect(problemsOf(text).map(({ path }) => path.join('.'))).toEqual(['upstream.mqtt.passwordFile']);
  });
});

describe('each problem is told with line, column, key, and what would be right', () => {
  test.each([
    ['a slip in a key', `${head}serail: []`, '5:1: serail: is no known key; did you mean serial?'],
    ['another case', `${head}log: { Level: info }`, '5:8: log.Level: is no known key; did you mean level?'],
    [
      'a key that nothing is near',
      `${head}log: { verbosity: 3 }`,
      '5:8: log.verbosity: is no known key; known here are level',
    ],
    [
      'a missing key',
      'listen: { tcp: {} }',
      '1:1: gateway: is missing; it must be a mapping with the keys name, stateDirectory, runtimeDirectory',
    ],
    [
      'a missing key further down',
      'gateway: {}',
      '1:1: gateway.name: is missing; it must be a string (part of every identifier and topic upstream)',
    ],
    [
      'a wrong type',
      `${head}serial:\n  - { path: /dev/x, baud: fast }`,
      '6:27: serial[0].baud: has the wrong type; it must be an integer from 50 to 4000000 (bits per second)',
    ],
    [
      'a fraction',
      `${head}spool: { maxBytesPerConsumer: 70000.5 }`,
      '5:31: spool.maxBytesPerConsumer: has the wrong type; it must be an integer from 65536 (on disk; then publishers are held back)',
    ],
    [
      'a range',
      `${head}coap: { port: 70000 }`,
      '5:15: coap.port: is too large; it must be an integer from 0 to 65535',
    ],
    [
      'a choice',
      `${head}log: { level: loud }`,
      '5:15: log.level: does not fit; it must be one of debug, info, warn, error (least level that is logged)',
    ],
    [
      'a pattern',
      `${head}clients: [{ name: a, token: abc }]`,
      '5:29: clients[0].token: does not fit; it must be sha256: and 64 hex digits; `hashike token new` makes one',
    ],
    [
      'the name of a profile',
      `${head}profiles: { 'a b': {} }`,
      '5:13: profiles.a b: is no good name; must be 1 to 64 of A-Z a-z 0-9 . _ - and begin with a letter or digit',
    ],
    ['a key that stands twice', `${head}coap: {}\ncoap: {}`, '6:1: the key stands twice; keep one of them'],
    ['a tab', `${head}\tcoap: {}`, '5:1: a tab is used as indentation; indent with spaces'],
    [
      'a quote that is open',
      'gateway:\n  name: "x\n',
      '3:1: a character is missing; close every quote and bracket, and put a space after : and -',
    ],
    [
      'a mapping within a line',
      'a: b: c',
      '1:4: a mapping stands within a line; put it on lines of its own, or the value in quotes',
    ],
    [
      'an alias of YAML',
      `${head}coap: *secret`,
      '5:7: an alias * names no anchor &; put the value in quotes if it shall begin with *',
    ],
    [
      'no mapping',
      'hello',
      '1:1: has the wrong type; it must be a mapping with the keys gateway, log, listen, serial, coap, upstream, profiles, clients, spool, limits',
    ],
  ])('%s', (_, text, line) => {
    expect(linesOf(text)).toContain(line);
  });
});

describe('what no schema can say', () => {
  const mqtt = (rest: string): string => `${head}upstream:\n  mqtt: { url: 'mqtts://h', ${rest} }`;
  const profile = (rest: string): string =>
    `${head}profiles:\n  p:\n    contents:\n      - { type: 0x8001, name: t, encoding: i16 }\n      - { type: 0x8002, name: note, encoding: utf8 }\n    ${rest}`;

  test.each([
    [
      'a profile that is not there',
      `${head}profiles: { weather: {} }\nclients: [{ name: a, token: '${hash('a')}', profile: wether }]`,
      'names no profile; did you mean weather?',
    ],
    [
      'two clients of one name',
      `${head}clients:\n  - { name: a, token: '${hash('a')}' }\n  - { name: a, token: '${hash('b')}' }`,
      '7:5: clients[1]: the name is used twice',
    ],
    [
      'two clients with one token',
      `${head}clients:\n  - { name: a, token: '${hash('a')}' }\n  - { name: b, token: '${hash('a')}' }`,
      '7:5: clients[1]: the token is used twice',
    ],
    [
      'a bad filter',
      `${head}clients: [{ name: a, token: '${hash('a')}', publish: ['a#'] }]`,
      'clients[0].publish[0]: is no topic filter',
    ],
    [
      'a layout with a slip',
      profile('aliases: [{ alias: 1, topic: x, layout: [nota] }]'),
      'profiles.p.aliases[0].layout[0]: names no content of this profile; did you mean note?',
    ],
    [
      'a layout with an open end in the middle',
      profile('aliases: [{ alias: 1, topic: x, layout: [note, t] }]'),
      'has no fixed length (utf8); put it last in the layout',
    ],
    [
      'an alias twice',
      profile('aliases: [{ alias: 1, topic: x }, { alias: 1, topic: y }]'),
      'aliases[1]: the alias is used twice',
    ],
    [
      'an alias to a filter',
      profile("aliases: [{ alias: 1, topic: 'x/+' }]"),
      'aliases[0].topic: is no topic',
    ],
    ['a bad command filter', profile("commands: ['#/x']"), 'commands[0]: is no topic filter'],
    [
      'a content type twice',
      `${head}profiles: { p: { contents: [{ type: 0x8001, name: a, encoding: u8 }, { type: 0x8001, name: b, encoding: u8 }] } }`,
      'contents[1]: the type is used twice',
    ],
    [
      'a scale on text',
      `${head}profiles: { p: { contents: [{ type: 0x8001, name: a, encoding: utf8, scale: 2 }] } }`,
      'takes no scale and offset',
    ],
    [
      'a scale of nothing',
      `${head}profiles: { p: { contents: [{ type: 0x8001, name: a, encoding: u8, scale: 0 }] } }`,
      'contents[0].scale: is 0',
    ],
    [
      'a serial port twice',
      `${head}serial: [{ path: /dev/a, name: x }, { path: /dev/a, name: y }]`,
      'serial[1]: the path is used twice',
    ],
    [
      'two serial ports of one name',
      `${head}serial: [{ path: /dev/a }, { path: /dev/b, name: a }]`,
      'serial[1]: the name is used twice',
    ],
    ['a template without its topic', mqtt('topic: all'), 'upstream.mqtt.topic: does not hold {topic} once'],
    ['a template with a wildcard', mqtt("commands: '+/{topic}'"), 'upstream.mqtt.commands: is no topic'],
    [
      'a password file that is not there',
      mqtt('passwordFile: missing'),
      'upstream.mqtt.passwordFile: names a file that cannot be read',
    ],
    [
      'a certificate that is not there',
      mqtt('tls: { ca: missing }'),
      'upstream.mqtt.tls.ca: names a file that cannot be read',
    ],
    ['a certificate without its key', mqtt('tls: { cert: /dev/null }'), 'has only one of cert and key'],
    ['TLS without mqtts', `${head}upstream:\n  mqtt: { url: 'mqtt://h', tls: {} }`, 'begin it with mqtts://'],
    [
      'a password without a user',
      mqtt('version: 4, passwordFile: /dev/null'),
      'MQTT 3.1.1 has no password without a user name',
    ],
  ])('%s', (_, text, line) => {
    expect(linesOf(text)).toEqual([expect.stringContaining(line)]);
  });

  test('problems of all parts are told at once, in the order of the file', () => {
    const text = `gateway: {}\nlisten: { tpc: {} }\nserial: [{ path: /a }, { path: /a }]\nclients: [{ name: a, token: x }]`;
    expect(problemsOf(text).map(({ line }) => line)).toEqual([1, 2, 3, 3, 4]);
  });
});

describe('risks are warnings that name them', () => {
  test.each([
    [
      'TCP beyond loopback',
      'gateway: { name: a }\nlisten: { tcp: { host: 0.0.0.0 } }',
      'f:2:24: listen.tcp.host: opens the gateway to the network',
    ],
    [
      'CoAP beyond loopback',
      "gateway: { name: a }\ncoap: { host: '::' }",
      'f:2:15: coap.host: opens CoAP to the network',
    ],
    ['no way in', 'gateway: { name: a }', 'nothing can connect'],
    [
      'UDP without the connections that it belongs to',
      'gateway: { name: a }\nlisten: { udp: {}, websocket: {} }',
      'f:2:16: listen.udp: is of no use',
    ],
    [
      'a client that may do nothing',
      `${head}clients: [{ name: a, token: '${hash('a')}' }]`,
      'may neither publish nor subscribe',
    ],
    [
      'a broker without TLS',
      `${head}upstream:\n  mqtt: { url: 'mqtt://example.org' }`,
      'sends readings and commands in clear text',
    ],
  ])('%s', (_, text, warning) => {
    expect(warningsOf(text)).toEqual([expect.stringContaining(warning)]);
  });

  test.each(['127.0.0.1', '127.1.2.3', '::1', 'localhost'])('%s is no risk', (host) => {
    expect(warningsOf(`gateway: { name: a }\nlisten: { tcp: { host: '${host}' } }`)).toEqual([]);
  });

  test('two layouts for one topic', () => {
    const contents =
      'contents: [{ type: 0x8001, name: t, encoding: u8 }, { type: 0x8002, name: u, encoding: u8 }]';
    const text = `${head}profiles:
  a: { ${contents}, aliases: [{ alias: 1, topic: all, layout: [t] }] }
  b: { ${contents}, aliases: [{ alias: 1, topic: all, layout: [u] }] }
clients: [${clientOf('a', 'a')}, ${clientOf('b', 'b')}]`;
    expect(warningsOf(text)).toEqual([expect.stringContaining('shares the topic all')]);
  });

  test('a password that every user may read', () => {
    const file = join(folder, 'password');
    const text = `${head}upstream:\n  mqtt: { url: 'mqtts://h', passwordFile: ${file} }`;
    writeFileSync(file, 'secret');
    chmodSync(file, 0o644);
    expect(warningsOf(text)).toEqual([
      expect.stringContaining('every user of this machine may read that file'),
    ]);
    chmodSync(file, 0o640);
    expect(warningsOf(text)).toEqual([]);
  });
});

describe('files', () => {
  test('paths start where the configuration lies', () => {
    const file = join(folder, 'paths.yaml');
    writeFileSync(join(folder, 'ca.pem'), '');
    writeFileSync(
      file,
      `gateway: { name: a, stateDirectory: state }\nlisten: { tcp: {} }\nupstream: { mqtt: { url: 'mqtts://h', tls: { ca: ca.pem } } }`,
    );
    const { config } = loadConfig(file);
    expect(config.gateway.stateDirectory).toBe(join(folder, 'state'));
    expect(config.upstream.mqtt?.tls?.ca).toBe(join(folder, 'ca.pem'));
  });

  test('one that is not there is an error of its own', () => {
    expect(() => loadConfig(join(folder, 'missing.yaml'))).toThrow(
      expect.objectContaining({ code: 'HSK-2402' }),
    );
  });
});

test.each([
  `${head}clients: [{ name: a, token: hunter2 }]`,
  `${head}upstream:\n  mqtt: { url: 'mqtt://user:hunter2@example.org' }`,
  `${head}upstream:\n  mqtt: { url: mqtt://example.org, username: [hunter2] }`,
  `${head}clients: [{ name: a, token: *hunter2 }]`,
  `${head}clients: [{ name: a, token: "hunter2 }]`,
  `${head}clients: [{ name: a, token: @hunter2 }]`,
  `${head}clients:\n- hunter2\n  b: hunter2`,
  `${head}clients: [{ name: a, token: !hunter2 x }]`,
  `${head}hunter: hunter2`,
])('no value of the file stands in an error: case %#', (text) => {
  const lines = linesOf(text);
  expect(lines.length).toBeGreaterThan(0);
  expect(lines.join('\n')).not.toContain('hunter2');
});
