import { basename, resolve } from 'node:path';
import { describeError } from '../base/errors.ts';
import { validateFilter, validateTopic } from '../topic/topic.ts';
import {
  checkFile,
  checkUnique,
  type Findings,
  isLoopback,
  type Item,
  itemOf,
  itemsOf,
  member,
  type Tell,
} from './findings.ts';
import { checkListeners, listenersWithTls } from './listener-checks.ts';
import type { KeyPath } from './problem.ts';
import { nearest } from './schema-problems.ts';
import {
  clientSchema,
  isIntegerEncoding,
  isVariableLength,
  type MqttConfig,
  mqttSchema,
  type ProfileConfig,
  profileSchema,
  type SerialConfig,
  serialSchema,
} from './schema.ts';

/**
 * What no schema can say: names that must exist or be unique, topics, files, addresses. Looks at each part of `raw` that is in itself
 * valid, so that an error in one part hides none in another. Relative paths start in `folder`.
 */
export function crossCheck(raw: unknown, folder: string, findings: Findings): void {
  const profiles = itemsOf(profileSchema, raw, 'profiles');
  for (const profile of profiles) checkProfile(profile, findings);
  checkClients(raw, profiles, findings);
  checkSerial(itemsOf(serialSchema, raw, 'serial'), findings);
  for (const mqtt of itemOf(mqttSchema, raw, 'upstream', 'mqtt')) checkMqtt(mqtt, folder, findings);
  checkListeners(raw, folder, findings);
}

function checkFilters(path: KeyPath, filters: readonly string[], { error }: Findings): void {
  for (const [index, filter] of filters.entries()) {
    complain(() => validateFilter(withClient(filter)), [...path, index], 'is no topic filter', error);
  }
}

function complain(check: () => void, path: KeyPath, wrong: string, error: Tell): void {
  try {
    check();
  } catch (thrown) {
    error(path, wrong, describeError(thrown).replace(/ \[HSK-\d+\]$/, ''));
  }
}

/** With a name for `{client}`, as a client would have it. */
function withClient(pattern: string): string {
  return pattern.replaceAll('{client}', 'client');
}

function checkProfile({ path, value }: Item<ProfileConfig>, findings: Findings): void {
  const { error } = findings;
  const contents = value.contents.map((content, index) => ({
    path: [...path, 'contents', index],
    value: content,
  }));
  checkUnique(contents, ({ name }) => name, 'name', findings);
  checkUnique(contents, ({ type }) => type, 'type', findings);
  for (const { path: at, value: content } of contents) {
    const fixedPoint = content.scale !== undefined || content.offset !== undefined;
    if (fixedPoint && !isIntegerEncoding(content.encoding)) {
      error([...at, 'encoding'], 'takes no scale and offset', 'these go with u8 to u64 and i8 to i64 only');
    }
    if (content.scale === 0) error([...at, 'scale'], 'is 0', 'every value would be the same: choose another');
  }
  const aliases = value.aliases.map((alias, index) => ({ path: [...path, 'aliases', index], value: alias }));
  checkUnique(aliases, ({ alias }) => alias, 'alias', findings, 'number them 0 to 255, each once');
  checkUnique(aliases, ({ topic }) => topic, 'topic', findings, 'one alias is enough for a topic');
  for (const { path: at, value: alias } of aliases) {
    complain(() => validateTopic(withClient(alias.topic)), [...at, 'topic'], 'is no topic', error);
    checkLayout([...at, 'layout'], alias.layout, value, findings);
  }
  checkFilters([...path, 'commands'], value.commands, findings);
}

function checkLayout(
  path: KeyPath,
  layout: readonly string[],
  profile: ProfileConfig,
  { error }: Findings,
): void {
  const names = profile.contents.map(({ name }) => name);
  for (const [index, name] of layout.entries()) {
    const content = profile.contents.find((candidate) => candidate.name === name);
    if (!content) error([...path, index], 'names no content of this profile', suggestion(name, names));
    else if (isVariableLength(content.encoding) && index < layout.length - 1) {
      error([...path, index], `has no fixed length (${content.encoding})`, 'put it last in the layout');
    }
  }
}

function suggestion(name: string, known: readonly string[]): string {
  const close = nearest(name, known);
  if (close !== undefined) return `did you mean ${close}?`;
  return known.length === 0 ? 'there are none yet' : `there are ${known.join(', ')}`;
}

function checkClients(raw: unknown, profiles: readonly Item<ProfileConfig>[], findings: Findings): void {
  const clients = itemsOf(clientSchema, raw, 'clients');
  checkUnique(clients, ({ name }) => name, 'name', findings);
  const share = 'make another one, or set shared on one entry for all';
  checkUnique(clients, ({ token }) => token, 'token', findings, share);
  checkUnique(clients, ({ certificate }) => certificate, 'certificate', findings, share);
  const asked = listenersWithTls(raw).some(({ value }) => value.clientCa !== undefined);
  const names = Object.keys(member(raw, 'profiles') ?? {});
  const layouts = new Map<string, string>();
  for (const { path, value: client } of clients) {
    const { profile: profileName, token, certificate } = client;
    if (token === undefined && certificate === undefined) {
      findings.error(path, 'has neither token nor certificate', '`hashike token new` makes a token');
    }
    if (certificate !== undefined && !asked) {
      const right = 'set clientCa at listen.tls or listen.websocket.tls';
      findings.warning([...path, 'certificate'], 'is asked for by no listener', right);
    }
    if (profileName !== undefined && !names.includes(profileName)) {
      findings.error([...path, 'profile'], 'names no profile', suggestion(profileName, names));
    }
    checkFilters([...path, 'publish'], client.publish, findings);
    checkFilters([...path, 'subscribe'], client.subscribe, findings);
    if (client.publish.length + client.subscribe.length === 0) {
      findings.warning(
        path,
        'may neither publish nor subscribe',
        'give it filters under publish or subscribe',
      );
    }
    const profile = profiles.find(({ path: at }) => at[1] === profileName);
    for (const { topic, layout } of profile?.value.aliases ?? []) {
      const filled = topic.replaceAll('{client}', client.name);
      const text = `${profileName} ${layout.join()}`;
      if (layout.length > 0 && (layouts.get(filled) ?? text) !== text) {
        const right = 'commands to it are encoded for one of them; put {client} into the topic';
        findings.warning(path, `shares the topic ${filled} with a client of another layout`, right);
      }
      layouts.set(filled, text);
    }
  }
}

function checkSerial(ports: readonly Item<SerialConfig>[], findings: Findings): void {
  checkUnique(ports, ({ path }) => path, 'path', findings, 'a device can be opened once');
  checkUnique(ports, ({ name, path }) => name ?? basename(path), 'name', findings, 'set name on one of them');
}

function checkMqtt({ path, value }: Item<MqttConfig>, folder: string, findings: Findings): void {
  const { error, warning } = findings;
  for (const key of ['topic', 'commands'] as const) {
    const template = value[key];
    if (template.split('{topic}').length !== 2) {
      error([...path, key], 'does not hold {topic} once', 'for example {gateway}/{topic}');
    }
    complain(() => validateTopic(filledIn(template)), [...path, key], 'is no topic', error);
  }
  complain(() => validateTopic(filledIn(value.will.topic)), [...path, 'will', 'topic'], 'is no topic', error);
  checkFilters([...path, 'forward'], value.forward, findings);
  const { passwordFile, username, tls = {}, url, version } = value;
  if (passwordFile !== undefined)
    checkFile([...path, 'passwordFile'], resolve(folder, passwordFile), true, findings);
  if (passwordFile !== undefined && username === undefined && version === 4) {
    error([...path, 'username'], 'is missing', 'MQTT 3.1.1 has no password without a user name');
  }
  for (const key of ['ca', 'cert', 'key'] as const) {
    const file = tls[key];
    if (file !== undefined) checkFile([...path, 'tls', key], resolve(folder, file), key === 'key', findings);
  }
  if ((tls.cert === undefined) !== (tls.key === undefined)) {
    error([...path, 'tls'], 'has only one of cert and key', 'a client certificate needs both');
  }
  if (url.startsWith('mqtt:')) {
    if (value.tls)
      error([...path, 'url'], 'does not use TLS although tls is configured', 'begin it with mqtts://');
    else if (!isLoopback(hostOf(url))) {
      const secrets =
        passwordFile === undefined ? 'readings and commands' : 'the password, readings and commands';
      warning(
        [...path, 'url'],
        `sends ${secrets} in clear text`,
        'use mqtts:// unless the network is trusted',
      );
    }
  }
}

function filledIn(template: string): string {
  return template.replaceAll('{gateway}', 'gateway').replaceAll('{topic}', 'topic');
}

function hostOf(url: string): string {
  return new URL(url).hostname.replaceAll(/[[\]]/g, '');
}
