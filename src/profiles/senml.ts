import { HashikeError } from '../base/errors.ts';
import type { Publication } from '../wire/publication.ts';
import { type JsonValue, toJson } from './json-value.ts';
import type { NamedValue } from './named-values.ts';

/**
 * A SenML pack (RFC 8428, JSON). The base name is gateway and topic, so that names are unique; `id` and `uncertainty` are fields of
 * our own in the first record, which a reader that does not know them ignores (section 4.4).
 */
export function renderSenml(
  publication: Publication,
  values: readonly NamedValue[],
  gateway: string,
  id: string,
): JsonValue {
  const { at, uncertainty } = publication.taken;
  const base = {
    bn: senmlName(`${gateway}/${publication.topic}/`),
    bt: at / 1000,
    id,
    ...(uncertainty === undefined ? {} : { uncertainty }),
  };
  // A pack has at least one record; one with base fields alone says that there is no value.
  if (values.length === 0) return [base];
  return values.map(({ name, value, unit }, index) => ({
    ...(index === 0 ? base : {}),
    n: senmlName(name),
    ...(unit === undefined ? {} : { u: unit }),
    ...senmlValue(value),
  }));
}

function senmlValue(value: unknown): Readonly<Record<string, JsonValue>> {
  if (value instanceof Uint8Array) {
    return { vd: Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64url') };
  }
  const json = toJson(value);
  if (typeof json === 'number') return { v: json };
  if (typeof json === 'boolean') return { vb: json };
  return { vs: typeof json === 'string' ? json : JSON.stringify(json) };
}

/** Names hold letters, digits and - : . / _ and begin with a letter or digit (section 4.5.1). */
function senmlName(name: string): string {
  return name.replaceAll(/[^A-Za-z0-9\-:./_]/gu, '_');
}

/**
 * Values by name out of a SenML pack; the name is the last part of `bn` + `n`, after `/` or `:`.
 * Throws HSK-2304 when it is no pack of values.
 */
export function parseSenml(pack: unknown): ReadonlyMap<string, unknown> {
  if (!Array.isArray(pack)) throw unfit('it is no array of records');
  const values = new Map<string, unknown>();
  let base = '';
  for (const record of pack as readonly unknown[]) {
    if (typeof record !== 'object' || record === null || Array.isArray(record))
      throw unfit('a record is no object');
    const fields = new Map<string, unknown>(Object.entries(record));
    const { bn = base, n = '' } = record as { readonly bn?: unknown; readonly n?: unknown };
    if (typeof bn !== 'string' || typeof n !== 'string') throw unfit('bn or n is no string');
    base = bn;
    const value = recordValue(fields);
    if (value === undefined) continue;
    const name = `${base}${n}`.split(/[/:]/).at(-1) ?? '';
    if (values.has(name)) throw unfit('a name stands twice');
    values.set(name, value);
  }
  return values;
}

function recordValue(fields: ReadonlyMap<string, unknown>): unknown {
  const key = ['v', 'vs', 'vb', 'vd'].find((field) => fields.has(field));
  return key === undefined ? undefined : fields.get(key);
}

function unfit(why: string): HashikeError {
  return new HashikeError('HSK-2304', `the payload is no SenML pack: ${why}`);
}
