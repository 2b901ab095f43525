import { concat } from '../base/bytes.ts';
import { describeError, HashikeError } from '../base/errors.ts';
import { type ContentSection, contentSections, encodeContent } from '../wire/content.ts';
import { expandContent } from '../wire/layout.ts';
import { OPAQUE_CONTENT_TYPE } from '../wire/numbers.ts';
import type { ContentType } from './content-type.ts';
import { layoutEntries, type ClientProfile } from './profiles.ts';

/** One content section with its meaning. */
export interface NamedValue {
  /** From the profile; `0x8001` and so on for a type that it does not name. */
  readonly name: string;
  /** The value, or the bytes where the profile does not name the type or `problem` is set. */
  readonly value: unknown;
  readonly unit: string | undefined;
  /** Why the bytes are no value of their type. */
  readonly problem?: string;
}

/** What `content` (raw sections) means to `profile`. Never throws: what can't be read is there as bytes, marked with a problem. */
export function readValues(profile: ClientProfile, content: Uint8Array): readonly NamedValue[] {
  let sections: readonly ContentSection[];
  try {
    sections = contentSections(content);
  } catch (error) {
    return [{ name: 'content', value: content, unit: undefined, problem: describeError(error) }];
  }
  return sections.map((section) => readValue(profile, section));
}

function readValue(profile: ClientProfile, { contentType, value }: ContentSection): NamedValue {
  const content = profile.byType(contentType);
  if (!content) return { name: typeName(contentType), value, unit: undefined };
  const { name, unit } = content;
  try {
    return { name, value: content.decode(value), unit };
  } catch (error) {
    return { name, value, unit, problem: describeError(error) };
  }
}

/** The name of a content type that no profile names. */
function typeName(contentType: number): string {
  return `0x${contentType.toString(16).toUpperCase().padStart(4, '0')}`;
}

/** The values one after the other, without types and lengths, as the short form carries them (clause 6.1.3). */
export function joinedValues(content: Uint8Array): Uint8Array {
  try {
    return concat(contentSections(content).map(({ value }) => value));
  } catch {
    // Content that is no sections can't be taken apart: as it is, is the most that can be said of it.
    return content;
  }
}

/** One content section with `bytes` as they are. */
export function opaqueContent(bytes: Uint8Array): Uint8Array {
  return encodeContent([{ contentType: OPAQUE_CONTENT_TYPE, value: bytes }]);
}

/** The reverse of `joinedValues`: raw sections, or undefined when the length does not fit the layout. */
export function splitValues(layout: readonly ContentType[], bytes: Uint8Array): Uint8Array | undefined {
  const fixed = layout.reduce((sum, { length }) => sum + (length ?? 0), 0);
  const open = layout.some(({ length }) => length === undefined);
  if (open ? bytes.length < fixed : bytes.length !== fixed) return undefined;
  return expandContent(layoutEntries(layout), bytes);
}

/**
 * Raw content sections for `value`: a bare value or `{"value": …}` where the layout has one content, else an object with exactly
 * the layout's names. Throws HSK-2302 with what would fit.
 */
export function encodeValues(layout: readonly ContentType[], value: unknown): Uint8Array {
  const members = membersOf(layout, value);
  return encodeContent(
    layout.map((content) => ({
      contentType: content.type,
      value: content.encode(members.get(content.name)),
    })),
  );
}

/** Raw content sections for the members of an object, in their order, by the names of the profile. Throws HSK-2302. */
export function encodeByName(profile: ClientProfile, value: unknown): Uint8Array {
  const names = profile.names;
  const members = entriesOf(value);
  if (!members)
    throw unfit(
      names.length === 0
        ? 'no names: the profile has no contents'
        : `an object with names out of ${names.join(', ')}`,
    );
  return encodeContent(
    [...members].map(([name, member]) => {
      const content = profile.byName(name);
      if (!content) throw unfit(`the names ${names.join(', ')}`);
      return { contentType: content.type, value: content.encode(member) };
    }),
  );
}

function membersOf(layout: readonly ContentType[], value: unknown): ReadonlyMap<string, unknown> {
  const [first] = layout;
  const members = entriesOf(value);
  if (layout.length === 1 && first) {
    if (members?.size === 1) {
      const inner = members.get(first.name) ?? members.get('value');
      if (inner !== undefined) return new Map([[first.name, inner]]);
    }
    if (!members || first.isOpen) return new Map([[first.name, value]]);
  }
  if (members?.size === layout.length && layout.every(({ name }) => members.has(name))) return members;
  throw unfit(wouldFit(layout));
}

/** What a layout takes, for people. */
export function wouldFit(layout: readonly ContentType[]): string {
  const all = `{${layout.map(({ name, takes }) => `"${name}": ${takes}`).join(', ')}}`;
  const [first] = layout;
  return layout.length === 1 && first ? `${first.takes}, or {"value": …}, or ${all}` : all;
}

function unfit(fits: string): HashikeError {
  return new HashikeError('HSK-2302', `the values do not fit; what fits is ${fits}`);
}

/** The members of a plain object or a map with string keys; undefined for anything else. */
function entriesOf(value: unknown): ReadonlyMap<string, unknown> | undefined {
  if (value instanceof Map) {
    return [...value.keys()].every((key) => typeof key === 'string') ? new Map(value) : undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null ? new Map(Object.entries(value)) : undefined;
}
