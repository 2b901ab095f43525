import { z } from 'zod';
import type { KeyPath } from '../src/config/problem.ts';
import { keysOf, schemaAt, type SchemaNode, takes, unwrap } from '../src/config/schema-tree.ts';
import { tableOf } from './lib-markdown.ts';

const introduction = `# Configuration

The gateway reads one YAML file. \`hashike check --config FILE\` prints every problem in it with line, key, what is wrong and what would be right; \`hashike run\` starts with a good one only.
Durations are in milliseconds and sizes in bytes, with the unit at the end of the key. Unknown keys are errors. Relative paths start in the folder of the file. [systemd/hashike.yaml](../systemd/hashike.yaml) is
an example.

<!-- Written by scripts/generate-docs.ts from src/config/schema.ts: change that and run \`node scripts/generate-docs.ts\`. -->
`;

/** One object of the schema. */
interface Section {
  readonly title: string;
  readonly description: string | undefined;
  readonly rows: readonly (readonly string[])[];
}

/** The object at \`path\`, titled as people write it, and every object below it. */
function sectionsOf(title: string, path: KeyPath): readonly Section[] {
  const node = schemaAt(path);
  if (!node) throw new Error(`the schema has nothing at ${title}`);
  const below: Section[] = [];
  const rows = keysOf(node.schema).map((key) => {
    const child = schemaAt([...path, key]);
    if (!child) throw new Error(`the schema has nothing at ${title}.${key}`);
    const at = title === '' ? key : `${title}.${key}`;
    below.push(...innerOf(at, [...path, key], child));
    return [`\`${key}\``, kindOf(at, child), defaultOf(child), child.description ?? ''];
  });
  const own = title === '' ? 'Top level' : `\`${title}\``;
  return [{ title: own, description: title === '' ? undefined : node.description, rows }, ...below];
}

/** Sections of the objects in a value: its own, or those of its members. */
function innerOf(title: string, path: KeyPath, { schema }: SchemaNode): readonly Section[] {
  if (schema instanceof z.ZodObject) return sectionsOf(title, path);
  const member = memberOf(schema);
  return member?.schema instanceof z.ZodObject
    ? sectionsOf(memberTitle(title, schema), [...path, anyMember(schema)])
    : [];
}

function memberOf(schema: SchemaNode['schema']): SchemaNode | undefined {
  if (schema instanceof z.ZodArray) return unwrap(schema.element);
  return schema instanceof z.ZodRecord ? unwrap(schema.valueType) : undefined;
}

function memberTitle(title: string, schema: SchemaNode['schema']): string {
  return schema instanceof z.ZodArray ? `${title}[]` : `${title}.NAME`;
}

function anyMember(schema: SchemaNode['schema']): string | number {
  return schema instanceof z.ZodArray ? 0 : 'NAME';
}

function kindOf(title: string, { schema }: SchemaNode): string {
  if (schema instanceof z.ZodObject) return `see \`${title}\``;
  const member = memberOf(schema);
  if (!member) return takes(schema);
  const of =
    member.schema instanceof z.ZodObject
      ? `see \`${memberTitle(title, schema)}\``
      : `each ${takes(member.schema)}`;
  return `${takes(schema)}, ${of}`;
}

function defaultOf({ schema, optional, fallback }: SchemaNode): string {
  if (!optional) return '**required**';
  if (fallback === undefined || schema instanceof z.ZodObject) return '';
  return `\`${typeof fallback === 'string' ? fallback : JSON.stringify(fallback)}\``;
}

function sentence(text: string): string {
  return `${text.slice(0, 1).toUpperCase()}${text.slice(1)}.`;
}

/** The text of docs/configuration.md. */
export function configurationPage(): string {
  return [
    introduction,
    ...sectionsOf('', []).map(({ title, description, rows }) =>
      [
        `## ${title}`,
        ...(description === undefined ? [] : [sentence(description)]),
        tableOf([['key', 'value', 'default', 'meaning'], ...rows]),
      ]
        .join('\n\n')
        .concat('\n'),
    ),
  ].join('\n');
}
