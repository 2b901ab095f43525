import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  DEFAULT_TCP_PORT,
  FIRST_CONTENT_TYPE,
  MessageType,
  Reason,
  SectionType,
  ShortKind,
} from '../src/wire/numbers.ts';
import { valueLengths } from '../src/wire/sections.ts';
import { repositoryRoot } from './lib-findings.ts';

/** How the dissector shows the value of a section. */
type Kind = 'u8' | 'u16' | 'u32' | 'u64' | 'text' | 'bytes' | 'flag' | 'reason' | 'layout' | 'nested';

const kinds: Readonly<Record<keyof typeof SectionType, Kind>> = {
  TOKEN: 'bytes',
  KEEP_ALIVE: 'u32',
  CLIENT_ID: 'text',
  SESSION_ID: 'bytes',
  MESSAGE_ID: 'u32',
  TOPIC: 'text',
  REASON: 'reason',
  RESUME_KEY: 'bytes',
  RESUME_WINDOW: 'u32',
  SERVER_TIME: 'u64',
  REQUEST_ID: 'u32',
  ECHO: 'u32',
  CLIENT_NAME: 'text',
  VERSION: 'u16',
  RETRY_AFTER: 'u32',
  WILL: 'nested',
  RETAIN: 'flag',
  EXPIRY: 'u32',
  RESPONSE_TOPIC: 'text',
  CORRELATION: 'bytes',
  BEST_EFFORT: 'flag',
  ALIAS_ID: 'u8',
  LAYOUT: 'layout',
  CONNECTION_ID: 'bytes',
  KEY: 'bytes',
  PORT: 'u16',
  CONFIRM: 'flag',
  ALIAS_ENTRY: 'nested',
};

const begin = '-- Generated from src/wire/numbers.ts by scripts/generate-docs.ts: begin\n';
const end = '-- Generated: end\n';

/** scripts/hashike.lua with the tables of numbers that src/wire says. Throws an Error when the file has no place for them. */
export function dissector(): string {
  const text = readFileSync(join(repositoryRoot, 'scripts/hashike.lua'), 'utf8');
  const from = text.indexOf(begin);
  const to = text.indexOf(end);
  if (from === -1 || to < from) throw new Error(`scripts/hashike.lua lacks the lines ${begin}${end}`);
  return text.slice(0, from + begin.length) + tables() + text.slice(to);
}

function tables(): string {
  const sections = entriesOf(SectionType).map(([name, number]) => {
    const [least, most] = valueLengths[number];
    return [
      number,
      `{ name = "${name}", kind = "${kinds[name]}", least = ${least}, most = ${most} }`,
    ] as const;
  });
  const plain = (table: Readonly<Record<string, number>>): (readonly [number, string])[] =>
    entriesOf(table).map(([name, number]) => [number, `"${name}"`]);
  return [
    `local default_port = ${DEFAULT_TCP_PORT}\n`,
    `local first_content_type = ${code(FIRST_CONTENT_TYPE)}\n`,
    luaTable('message_types', plain(MessageType), code),
    luaTable('section_types', sections, code),
    luaTable('reasons', plain(Reason), String),
    luaTable('short_kinds', plain(ShortKind), String),
  ].join('');
}

function luaTable(
  name: string,
  rows: readonly (readonly [number, string])[],
  key: (number: number) => string,
): string {
  return `local ${name} = {\n${rows.map(([number, value]) => `  [${key(number)}] = ${value},\n`).join('')}}\n`;
}

function entriesOf<K extends string, V>(table: Readonly<Record<K, V>>): [K, V][] {
  return Object.entries(table) as [K, V][];
}

function code(number: number): string {
  return `0x${number.toString(16).padStart(4, '0')}`;
}
