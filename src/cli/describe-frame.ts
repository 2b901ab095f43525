import { hex } from '../base/bytes.ts';
import { HashikeError } from '../base/errors.ts';
import { contentSections } from '../wire/content.ts';
import { decodeMessage } from '../wire/long-form.ts';
import { MessageType, ShortKind } from '../wire/numbers.ts';
import { SerialDeframer } from '../wire/serial-frame.ts';
import { decodeShort, isShortForm } from '../wire/short-form.ts';

/** Lines that tell the fields of one frame of either form, or what is wrong with it. */
export function describeFrame(frame: Uint8Array): string[] {
  try {
    if (isShortForm(frame[0] ?? 0)) {
      const { kind, ...fields } = decodeShort(frame);
      return [
        `${nameOf(ShortKind, kind)} (short form, kind ${kind}, ${frame.length} bytes)`,
        ...fieldLines(fields),
      ];
    }
    const { type, ...fields } = decodeMessage(frame);
    const title = `${nameOf(MessageType, type)} (long form, type ${code(type)}, ${frame.length} bytes)`;
    if (!('content' in fields)) return [title, ...fieldLines(fields)];
    const { content, ...others } = fields;
    return [title, ...fieldLines(others), ...contentLines(content)];
  } catch (error) {
    if (!(error instanceof HashikeError)) throw error;
    return [`not a frame: ${error.message}`];
  }
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

function fieldLines(fields: object): string[] {
  return Object.entries(fields).flatMap(([name, value]) =>
    value === undefined ? [] : [`  ${name}: ${text(value)}`],
  );
}

function contentLines(content: Uint8Array): string[] {
  return contentSections(content).map(
    ({ contentType, value }) => `  content ${code(contentType)}: ${bytes(value)}`,
  );
}

function text(value: unknown): string {
  if (value instanceof Uint8Array) return bytes(value);
  return JSON.stringify(value, (_key, each: unknown) => (each instanceof Uint8Array ? hex(each) : each));
}

function bytes(value: Uint8Array): string {
  return value.length === 0 ? 'empty' : `${hex(value)} (${value.length} bytes)`;
}

function code(number: number): string {
  return `0x${number.toString(16).padStart(4, '0')}`;
}

function nameOf(table: Readonly<Record<string, number>>, number: number): string {
  return Object.keys(table).find((name) => table[name] === number) ?? code(number);
}
