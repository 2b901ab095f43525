import type { GatewayStatus, Json } from '../admin/status.ts';
import type { Reading } from '../base/counters.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** What says little to people: it stands in the JSON. */
const leftOut: ReadonlySet<string> = new Set(['session', 'peer']);
/** Words of a key that only name its unit, which the value shows. */
const units: ReadonlySet<string> = new Set(['at', 'ms', 'bytes']);

/** The status for people: ages and sizes in their units, what is empty left out, drops with the most frequent first. `now` is epoch milliseconds. */
export function formatStatus(status: GatewayStatus, now: number): string {
  const { gateway, version, pid, startedAt, links, upstream, spool, counters } = status;
  const waiting = spool.filter(({ messages }) => messages > 0);
  const sections: readonly (readonly [string, readonly string[]])[] = [
    ['links', aligned(links.map(({ name, state, detail }) => [name, state, facts(detail, now)]))],
    ['clients', aligned(status.clients.map((client) => clientRow(client, now)))],
    ['upstream', aligned(upstream.map(({ name, state, detail }) => [name, state, facts(detail, now)]))],
    [
      'waiting on disk',
      aligned(
        waiting.map(({ consumer, messages, bytes }) => [consumer, `${messages} messages, ${size(bytes)}`]),
      ),
    ],
    ['dropped', dropped(counters)],
    ['counters', counted(counters)],
  ];
  const head = `${gateway}: hashike ${version}, process ${pid}, up ${duration(now - startedAt)}`;
  const lines = sections.flatMap(([title, rows]) => [
    '',
    title,
    ...(rows.length > 0 ? rows : ['none']).map((row) => `  ${row}`),
  ]);
  return `${[head, ...lines].join('\n')}\n`;
}

function clientRow(client: Json, now: number): readonly string[] {
  if (!isObject(client)) return [said('client', client, now)];
  const { client: name = null, state = null, ...rest } = client;
  return [said('client', name, now), said('state', state, now), facts(rest, now)];
}

function dropped(counters: readonly Reading[]): readonly string[] {
  const drops = counters
    .filter(({ name, value }) => name === 'dropped' && value > 0)
    .toSorted((one, other) => other.value - one.value);
  const width = String(drops[0]?.value ?? 0).length;
  return drops.map(
    ({ labels, value }) => `${String(value).padStart(width)}  ${labels['place']}: ${labels['reason']}`,
  );
}

/** One row for each name: its values, or each with its labels. */
function counted(counters: readonly Reading[]): readonly string[] {
  const byName = new Map<string, string[]>();
  for (const { name, labels, value } of counters) {
    if (name === 'dropped') continue;
    const label = Object.values(labels).join(' ');
    const text = measured(name, value);
    byName.set(name, [...(byName.get(name) ?? []), label === '' ? text : `${label}: ${text}`]);
  }
  return aligned([...byName].map(([name, values]) => [name.replaceAll('_', ' '), values.join(', ')]));
}

/** `key value` for each entry that says something. */
function facts(detail: Json, now: number): string {
  if (!isObject(detail)) return isNothing(detail) ? '' : said('', detail, now);
  return Object.entries(detail)
    .filter(([key, value]) => !leftOut.has(key) && !isNothing(value))
    .map(([key, value = null]) => fact(key, value, now))
    .join(', ');
}

function fact(key: string, value: Json, now: number): string {
  if (key === 'since') return `for ${duration(now - Number(value))}`;
  const label = words(key).filter((word) => !units.has(word));
  return [...label, said(key, value, now)].join(' ');
}

function said(key: string, value: Json, now: number): string {
  if (isObject(value)) return `(${facts(value, now)})`;
  if (isList(value)) return value.map((each) => said(key, each, now)).join(' ');
  if (typeof value !== 'number') return String(value);
  if (words(key).some((word) => word === 'at' || word === 'heard')) return `${duration(now - value)} ago`;
  return measured(key, value);
}

/** A number in the unit that its name tells. */
function measured(name: string, value: number): string {
  const its = words(name);
  if (its.includes('bytes')) return size(value);
  return its.includes('ms') ? duration(value) : String(value);
}

/** Of camelCase and snake_case, in lower case. */
function words(name: string): readonly string[] {
  return name
    .replaceAll(/(?<=[a-z])(?=[A-Z])/g, '_')
    .toLowerCase()
    .split('_');
}

function isList(value: Json | undefined): value is readonly Json[] {
  return Array.isArray(value);
}

function isObject(value: Json | undefined): value is { readonly [key: string]: Json | undefined } {
  return value !== null && typeof value === 'object' && !isList(value);
}

function isNothing(value: Json | undefined): boolean {
  return value === undefined || value === null || (isList(value) && value.length === 0);
}

/** Rows whose columns, but the last, are as wide as the widest. */
function aligned(rows: readonly (readonly string[])[]): readonly string[] {
  const width = (column: number): number => Math.max(...rows.map((row) => row[column]?.length ?? 0));
  return rows.map((row) =>
    row
      .map((cell, column) => (column < row.length - 1 ? cell.padEnd(width(column)) : cell))
      .join('  ')
      .trimEnd(),
  );
}

/** Milliseconds, with two digits at least where there are some. */
function duration(ms: number): string {
  if (ms < SECOND) return `${Math.max(0, Math.round(ms))} ms`;
  if (ms < 2 * MINUTE) return `${short(ms / SECOND)} s`;
  if (ms < 2 * HOUR) return `${short(ms / MINUTE)} min`;
  return ms < 2 * DAY ? `${short(ms / HOUR)} h` : `${short(ms / DAY)} days`;
}

function size(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  if (bytes < 1e6) return `${short(bytes / 1e3)} kB`;
  return bytes < 1e9 ? `${short(bytes / 1e6)} MB` : `${short(bytes / 1e9)} GB`;
}

function short(value: number): string {
  return value.toFixed(value < 10 ? 1 : 0);
}
