import { join, Malformed, Reader, text, toUint, uint, utf8 } from './bytes.ts';
import { readLayout } from './layout.ts';

/** One type-length-value of the long form (3.2), without its padding. */
export interface Section {
  readonly type: number;
  readonly value: Uint8Array;
}

/** One message of the long form (3.1). The sections are those that the receiver knows and the message names; content comes last. */
export interface LongMessage {
  readonly type: number;
  readonly timestamp: number;
  readonly sections: readonly Section[];
}

/** Message types (3.3). */
export const message = {
  connectToken: 0x01,
  connectResume: 0x02,
  connackSuccess: 0x03,
  connackResumed: 0x04,
  connackFailed: 0x10,
  connackTokenError: 0x11,
  connackSessionExpired: 0x12,
  connackBusy: 0x13,
  connackVersion: 0x14,
  subscribe: 0x20,
  unsubscribe: 0x21,
  publish: 0x22,
  ack: 0x23,
  rejected: 0x24,
  confirmed: 0x25,
  watch: 0x30,
  unwatch: 0x31,
  presenceJoined: 0x32,
  presenceLeft: 0x33,
  listSubscribers: 0x34,
  subscribers: 0x35,
  timeRequest: 0x40,
  time: 0x41,
  ping: 0x42,
  pong: 0x43,
  udpOpen: 0x50,
  udpTicket: 0x51,
  udpProbe: 0x52,
  udpConfirm: 0x53,
  alias: 0x60,
  disconnect: 0x7f,
} as const;

/** Section types (4.1). */
export const section = {
  token: 0x0101,
  keepAlive: 0x0102,
  clientId: 0x0103,
  sessionId: 0x0104,
  messageId: 0x0105,
  topic: 0x0106,
  reason: 0x0107,
  resumeKey: 0x0108,
  resumeWindow: 0x0109,
  serverTime: 0x010a,
  requestId: 0x010b,
  echo: 0x010c,
  clientName: 0x010d,
  version: 0x010e,
  retryAfter: 0x010f,
  will: 0x0110,
  retain: 0x0111,
  expiry: 0x0112,
  responseTopic: 0x0113,
  correlation: 0x0114,
  bestEffort: 0x0115,
  aliasId: 0x0116,
  layout: 0x0117,
  connectionId: 0x0118,
  key: 0x0119,
  port: 0x011a,
  confirm: 0x011b,
  aliasEntry: 0x011c,
} as const;

type MessageName = keyof typeof message;
type SectionName = keyof typeof section;

const FIRST_CONTENT = 0x8000;
const MAX_PAYLOAD = 65_532;

/**
 * Sections by message as in the table of 3.3: `?` optional, `*` none or more, `+` one or more, `content` none or more content sections.
 * The nested sections of 4.1 are written the same way.
 */
const grammar = {
  connectToken: 'token version? clientName? keepAlive? resumeWindow? confirm? will? aliasEntry*',
  connectResume: 'messageId sessionId resumeKey',
  connackSuccess: 'clientId sessionId resumeKey keepAlive resumeWindow serverTime port?',
  connackResumed: 'messageId serverTime',
  connackFailed: 'reason?',
  connackTokenError: 'reason?',
  connackSessionExpired: 'messageId? reason?',
  connackBusy: 'reason? retryAfter?',
  connackVersion: 'version+',
  subscribe: 'messageId topic+ bestEffort?',
  unsubscribe: 'messageId topic+',
  publish: 'messageId? topic? aliasId? retain? expiry? responseTopic? correlation? clientId? content',
  ack: 'messageId',
  rejected: 'messageId reason',
  confirmed: 'messageId',
  watch: 'messageId topic+',
  unwatch: 'messageId topic+',
  presenceJoined: 'messageId topic clientId',
  presenceLeft: 'messageId topic clientId reason?',
  listSubscribers: 'requestId topic',
  subscribers: 'requestId topic clientId* reason?',
  timeRequest: 'requestId',
  time: 'requestId serverTime echo',
  ping: 'echo?',
  pong: 'echo',
  udpOpen: 'requestId',
  udpTicket: 'requestId connectionId key port',
  udpProbe: 'connectionId',
  udpConfirm: 'connectionId',
  alias: 'messageId aliasEntry+',
  disconnect: 'reason?',
} as const satisfies Record<MessageName, string>;

const willGrammar = 'topic retain? expiry? responseTopic? correlation? content';
const aliasEntryGrammar = 'aliasId topic layout?';

/** Lengths of section values (4.1): one number where it is fixed. */
const lengths: Partial<Record<SectionName, number | readonly [number, number]>> = {
  token: [1, 1024],
  keepAlive: 4,
  sessionId: 8,
  messageId: 4,
  topic: [1, 1024],
  reason: [2, MAX_PAYLOAD],
  resumeKey: 16,
  resumeWindow: 4,
  serverTime: 8,
  requestId: 4,
  echo: 4,
  clientName: [1, 64],
  version: 2,
  retryAfter: 4,
  retain: 0,
  expiry: 4,
  responseTopic: [1, 1024],
  bestEffort: 0,
  aliasId: 1,
  connectionId: [2, 8],
  key: 24,
  port: 2,
  confirm: 0,
};

const textual: ReadonlySet<SectionName> = new Set(['clientId', 'topic', 'clientName', 'responseTopic']);
const messageNames = new Map(
  Object.entries(message).map(([name, type]) => [type as number, name as MessageName]),
);
const sectionNames = new Map(
  Object.entries(section).map(([name, type]) => [type as number, name as SectionName]),
);

/** Sections with their padding, as they stand in a message or within WILL and ALIAS_ENTRY. */
export function encodeSections(sections: readonly Section[]): Uint8Array {
  return join(
    ...sections.flatMap(({ type, value }) => [
      uint(type, 2),
      uint(value.length, 2),
      value,
      new Uint8Array(-value.length & 3),
    ]),
  );
}

export function encodeLong({ type, timestamp, sections }: LongMessage): Uint8Array {
  const payload = encodeSections(sections);
  return join(uint(type, 2), uint(payload.length, 2), uint(timestamp, 4), payload);
}

/** One whole long-form message and nothing else. Throws Malformed. */
export function decodeLong(bytes: Uint8Array): LongMessage {
  const reader = new Reader(bytes);
  const type = reader.uint(2);
  const name = messageNames.get(type);
  if (!name) throw new Malformed(`3.1.1: unknown message type ${type}`);
  const length = reader.uint(2);
  if (length % 4 !== 0 || length > MAX_PAYLOAD) throw new Malformed(`3.1.2: a length of ${length}`);
  const timestamp = reader.uint(4);
  const payload = reader.take(length);
  reader.end('3.1.2');
  return { type, timestamp, sections: pick(decodeSections(payload), name) };
}

function decodeSections(bytes: Uint8Array): Section[] {
  const reader = new Reader(bytes);
  const sections: Section[] = [];
  while (reader.left > 0) {
    const type = reader.uint(2);
    if (type < 0x0100) throw new Malformed(`3.2.3: section type ${type} within a message`);
    const value = reader.take(reader.uint(2));
    if (reader.take(-value.length & 3).some((byte) => byte !== 0))
      throw new Malformed('3.2.2: padding that is not zero');
    sections.push({ type, value });
  }
  return sections;
}

function pick(sections: readonly Section[], name: MessageName): Section[] {
  const picked = fit(sections, grammar[name], name);
  const numbered = picked.some(({ type }) => type === section.messageId);
  if (numbered && sections[0]?.type !== section.messageId && name !== 'connectResume')
    throw new Malformed('3.2.4: MESSAGE_ID is not the first section');
  if (name === 'publish') {
    const addresses = picked.filter(({ type }) => type === section.topic || type === section.aliasId);
    if (addresses.length !== 1) throw new Malformed('3.3: a PUBLISH has either TOPIC or ALIAS_ID');
  }
  return picked;
}

/** The sections that `rule` names, checked against it; others are skipped (3.2.3, 3.2.4). */
function fit(sections: readonly Section[], rule: string, name: string): Section[] {
  const wanted = new Map(
    rule.split(' ').map((item) => [item.replace(/[?*+]$/, ''), item.replace(/^\w+/, '')]),
  );
  const counts = new Map<string, number>();
  const picked: Section[] = [];
  let content = false;
  for (const one of sections) {
    if (one.type >= FIRST_CONTENT) {
      if (!wanted.has('content')) throw new Malformed(`3.2.4: content in ${name}`);
      content = true;
      picked.push(one);
      continue;
    }
    if (content) throw new Malformed('3.2.4: a section after content');
    const known = sectionNames.get(one.type);
    if (!known || !wanted.has(known)) continue;
    check(known, one.value);
    counts.set(known, (counts.get(known) ?? 0) + 1);
    picked.push(one);
  }
  for (const [item, quantity] of wanted) {
    const count = counts.get(item) ?? 0;
    if (count === 0 && (quantity === '' || quantity === '+') && item !== 'content')
      throw new Malformed(`3.3: ${name} without ${item}`);
    if (count > 1 && (quantity === '' || quantity === '?'))
      throw new Malformed(`3.2.4: ${name} with ${item} twice`);
  }
  return picked;
}

function check(name: SectionName, value: Uint8Array): void {
  const rule = lengths[name];
  const [least, most] = typeof rule === 'number' ? [rule, rule] : (rule ?? [0, MAX_PAYLOAD]);
  if (value.length < least || value.length > most)
    throw new Malformed(`4.1: ${name} of ${value.length} bytes`);
  if (textual.has(name)) text(value);
  if (name === 'reason') text(value.subarray(2));
  if (name === 'serverTime' && toUint(value) > Number.MAX_SAFE_INTEGER)
    throw new Malformed('4.1: serverTime');
  if (name === 'layout') readLayout(value);
  if (name === 'will') {
    const nested = decodeSections(value);
    // 4.1: a WILL has no MESSAGE_ID and is addressed by TOPIC, so these two are not merely unknown there.
    if (nested.some(({ type }) => type === section.messageId || type === section.aliasId))
      throw new Malformed('4.1: a WILL with MESSAGE_ID or ALIAS_ID');
    fit(nested, willGrammar, 'WILL');
  }
  if (name === 'aliasEntry') fit(decodeSections(value), aliasEntryGrammar, 'ALIAS_ENTRY');
}

/** Sections from a nested value (WILL, ALIAS_ENTRY) that was checked with its message. */
export function nestedSections(value: Uint8Array): readonly Section[] {
  return decodeSections(value);
}

/** Value of the first section of this type, where there is one. */
export function find(
  from: { readonly sections: readonly Section[] },
  name: SectionName,
): Uint8Array | undefined {
  return from.sections.find(({ type }) => type === section[name])?.value;
}

export function findUint(
  from: { readonly sections: readonly Section[] },
  name: SectionName,
): number | undefined {
  const value = find(from, name);
  return value && toUint(value);
}

/** A section from bytes, text, or a number and its length in bytes. */
export function make(
  name: SectionName,
  value: Uint8Array | string | readonly [number, number] = '',
): Section {
  if (typeof value === 'string') return { type: section[name], value: utf8(value) };
  return { type: section[name], value: value instanceof Uint8Array ? value : uint(value[0], value[1]) };
}
