import { z } from 'zod';
import type { KeyPath } from './problem.ts';
import { configSchema } from './schema.ts';

/** A schema without its wrappers, and what these say. */
export interface SchemaNode {
  readonly schema: z.core.$ZodType;
  readonly optional: boolean;
  /** What holds when the key is absent; undefined where nothing does. */
  readonly fallback: unknown;
  readonly description: string | undefined;
}

/** Takes the wrappers (optional, default) off a schema. */
export function unwrap(schema: z.core.$ZodType): SchemaNode {
  const description = z.globalRegistry.get(schema)?.description;
  if (schema instanceof z.ZodOptional) {
    const inner = unwrap(schema.def.innerType);
    return { ...inner, optional: true, description: description ?? inner.description };
  }
  if (schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault) {
    const inner = unwrap(schema.def.innerType);
    return {
      ...inner,
      optional: true,
      fallback: schema.def.defaultValue,
      description: description ?? inner.description,
    };
  }
  return { schema, optional: false, fallback: undefined, description };
}

/** The schema of the value at `path`; undefined where the configuration has no such key. */
export function schemaAt(path: KeyPath): SchemaNode | undefined {
  let node: SchemaNode | undefined = unwrap(configSchema);
  for (const part of path) {
    const child: z.core.$ZodType | undefined = childOf(node.schema, part);
    if (!child) return undefined;
    node = unwrap(child);
  }
  return node;
}

function childOf(schema: z.core.$ZodType, part: string | number): z.core.$ZodType | undefined {
  if (schema instanceof z.ZodArray) return typeof part === 'number' ? schema.element : undefined;
  if (schema instanceof z.ZodRecord) return schema.valueType;
  const shape = shapeOf(schema);
  return shape && Object.hasOwn(shape, part) ? shape[part] : undefined;
}

function shapeOf(schema: z.core.$ZodType): z.core.$ZodShape | undefined {
  return schema instanceof z.ZodObject ? schema.shape : undefined;
}

/** The keys that an object takes; empty for anything else. */
export function keysOf(schema: z.core.$ZodType): readonly string[] {
  return Object.keys(shapeOf(schema) ?? {});
}

/** What a value must be, for people: `an integer from 50 to 4000000`. */
export function takes(schema: z.core.$ZodType): string {
  if (schema instanceof z.ZodEnum) return `one of ${schema.options.join(', ')}`;
  if (schema instanceof z.ZodLiteral) return `one of ${[...schema.values].join(', ')}`;
  if (schema instanceof z.ZodBoolean) return 'true or false';
  if (schema instanceof z.ZodArray) return 'a list';
  if (schema instanceof z.ZodRecord) return 'a mapping of names';
  if (schema instanceof z.ZodObject) return `a mapping with the keys ${keysOf(schema).join(', ')}`;
  if (schema instanceof z.ZodNumber) return `${schema.isInt ? 'an integer' : 'a number'}${rangeOf(schema)}`;
  if (schema instanceof z.ZodString) return stringKind(schema);
  return 'another value';
}

function rangeOf({ minValue, maxValue }: z.ZodNumber): string {
  const least = minValue !== null && minValue > Number.MIN_SAFE_INTEGER ? ` from ${minValue}` : '';
  const most = maxValue !== null && maxValue < Number.MAX_SAFE_INTEGER ? ` to ${maxValue}` : '';
  return least === '' && most !== '' ? ` up${most}` : `${least}${most}`;
}

function stringKind({ minLength, maxLength }: z.ZodString): string {
  if (maxLength !== null) return `a string of ${minLength ?? 0} to ${maxLength} characters`;
  return minLength === null ? 'a string' : 'a string that is not empty';
}
