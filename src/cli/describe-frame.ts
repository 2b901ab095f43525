import { hex } from '../base/bytes.ts';
import { HashikeError } from '../base/errors.ts';
import { type ContentSection, contentSections } from '../wire/content.ts';
import { decodeMessage } from '../wire/long-form.ts';
import { MessageType, ShortKind } from '../wire/numbers.ts';
import { SerialDeframer } from '../wire/serial-frame.ts';
import { decodeShort, isShortForm } from '../wire/short-form.ts';

/** What a frame of either form says, or what is wrong with it. */
type FrameReport =
  | {
      readonly form: 'long' | 'short';
      /** Name of the message type or short kind, and its number. */
      readonly name: string;
      readonly number: number;
      readonly bytes: number;
      readonly fields: object;
      /** The content sections of a PUBLISH in the long form. */
      readonly content: readonly ContentSection[];
    }
  | { readonly form: 'none'; readonly bytes: number; readonly fault: string };

function reportFrame(frame: Uint8Array): FrameReport {
  const bytes = frame.length;
  try {
    if (isShortForm(frame[0] ?? 0)) {
      const { kind, ...fields } = decodeShort(frame);
      return { form: 'short', name: nameOf(ShortKind, kind), number: kind, bytes, fields, content: [] };
    }
    const { type, ...fields } = decodeMessage(frame);
    const title = { form: 'long', name: nameOf(MessageType, type), number: type, bytes } as const;
    if (!('content' in fields)) return { ...title, fields, content: [] };
    const { content, ...others } = fields;
    return { ...title, fields: others, content: contentSections(content) };
  } catch (error) {
    if (!(error instanceof HashikeError)) throw error;
    return { form: 'none', bytes, fault: error.message };
  }
}

/** Lines that tell the fields of one frame of either form, or what is wrong with it. */
export function describeFrame(frame: Uint8Array): string[] {
  const report = reportFrame(frame);
  if (report.form === 'none') return [`not a frame: ${report.fault}`];
  const { form, name, number, bytes, fields, content } = report;
  const numbered = form === 'long' ? `type ${code(number)}` : `kind ${number}`;
  return [
    `${name} (${form} form, ${numbered}, ${bytes} bytes)`,
    ...Object.entries(fields).flatMap(([field, value]) =>
      value === undefined ? [] : [`  ${field}: ${text(value)}`],
    ),
    ...content.map(({ contentType, value }) => `  content ${code(contentType)}: ${describeBytes(value)}`),
  ];
}

/** The same as an object for JSON: bytes in hex. */
export function frameToJson(frame: Uint8Array): object {
  const report = reportFrame(frame);
  if (report.form === 'none') return { bytes: report.bytes, fault: report.fault };
  const { form, name, bytes, fields, content } = report;
  const sections = content.map(({ contentType, value }) => ({ type: code(contentType), value: hex(value) }));
  const all = { ...fields, ...(content.length > 0 && { content: sections }) };
  return { form, type: name, bytes, fields: plain(all) };
}

/** The same for the bytes of a serial line: every frame in it, and what was skipped between them. */
export function describeSerial(bytes: Uint8Array): string[] {
  const lines: string[] = [];
  const deframer = new SerialDeframer({
    maxFrameBytes: bytes.length,
    handler: {
      frame: (frame) => {
        lines.push(...describeFrame(frame));
      },
      discarded: (reason, count) => {
        lines.push(`skipped ${count} bytes: ${reason}`);
      },
    },
  });
  deframer.feed(bytes);
  if (bytes.at(-1) !== 0) lines.push('the last frame is not closed by 00');
  return lines.length > 0 ? lines : ['no frame: nothing but delimiters'];
}

/** `cafe (2 bytes)` */
export function describeBytes(value: Uint8Array): string {
  return value.length === 0 ? 'empty' : `${hex(value)} (${value.length} bytes)`;
}

function text(value: unknown): string {
  if (value instanceof Uint8Array) return describeBytes(value);
  return JSON.stringify(plain(value));
}

/** `value` with bytes as hex, all the way down. Not by a replacer of JSON, which gets a Buffer only after its `toJSON`. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return hex(value);
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, plain(field)]));
}

function code(number: number): string {
  return `0x${number.toString(16).padStart(4, '0')}`;
}

function nameOf(table: Readonly<Record<string, number>>, number: number): string {
  return Object.keys(table).find((name) => table[name] === number) ?? code(number);
}
