import { textOf, utf8 } from '../base/bytes.ts';
import { HashikeError } from '../base/errors.ts';

/** The queries of a request (clauses 10.3 and 10.5). */
export interface CoapQuery {
  readonly token: Uint8Array | undefined;
  /** The device's number of the message. */
  readonly id: number | undefined;
  /** Milliseconds since the reading was taken. */
  readonly age: number;
}

const MAX_U32 = 0xffff_ffff;

/** Throws HSK-4004 for a query that is not known, repeated, or no number of its range. */
export function parseQueries(values: readonly Uint8Array[]): CoapQuery {
  const queries = new Map<string, string>();
  for (const text of values.map(textOf)) {
    const at = text.indexOf('=');
    const key = at < 0 ? text : text.slice(0, at);
    if (!['t', 'id', 'age'].includes(key)) throw wrong('a query is none of t=, id= and age=');
    if (queries.has(key)) throw wrong(`the query ${key}= stands twice`);
    queries.set(key, at < 0 ? '' : text.slice(at + 1));
  }
  const token = queries.get('t');
  return {
    token: token === undefined ? undefined : utf8(token),
    id: numberIn(queries, 'id', 1),
    age: numberIn(queries, 'age', 0) ?? 0,
  };
}

function numberIn(queries: ReadonlyMap<string, string>, key: string, least: number): number | undefined {
  const text = queries.get(key);
  if (text === undefined) return undefined;
  const number = /^\d{1,10}$/.test(text) ? Number(text) : -1;
  if (number < least || number > MAX_U32)
    throw wrong(`the query ${key}= takes a number from ${least} to ${MAX_U32}`);
  return number;
}

function wrong(detail: string): HashikeError {
  return new HashikeError('HSK-4004', detail);
}
