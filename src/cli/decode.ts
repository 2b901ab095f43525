import { createReadStream } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { parseHex } from '../base/bytes.ts';
import { describeError, HashikeError } from '../base/errors.ts';
import { type Decoded, decodeCapture, decodeLine } from './capture/decode-capture.ts';
import { serialLogBytes } from './capture/serial-log.ts';
import type { CliContext } from './context.ts';
import { decodedToJson, describeDecoded } from './describe-capture.ts';
import { describeFrame, describeSerial, frameToJson } from './describe-frame.ts';
import { defaultPorts } from './flags.ts';

interface Flags {
  readonly serial: boolean;
  readonly json: boolean;
  readonly capture?: string;
  readonly port?: readonly number[];
}

/** Prints what the hex in `parts`, the standard input or the capture says. Throws HSK-6001 and HSK-6003. */
export async function decode(this: CliContext, flags: Flags, ...parts: string[]): Promise<void> {
  const { capture, serial, json, port = defaultPorts } = flags;
  const { stdin, stdout } = this.process;
  if (capture !== undefined) {
    if (parts.length > 0) throw new HashikeError('HSK-6001', 'with --capture there is nothing more to give');
    const file = fileChunks(capture);
    const decoded = serial ? decodeLine(serialLogBytes(file)) : decodeCapture(file, port);
    await write(json ? jsonLines(decoded) : textLines(decoded), stdout);
    return;
  }
  const text = parts.length > 0 ? parts.join('') : await readAll(stdin);
  const bytes = parseHex(text);
  if (!bytes || bytes.length === 0) {
    throw new HashikeError('HSK-6001', 'the input is not hex: give an even number of the digits 0-9 a-f');
  }
  if (serial && json) await write(jsonLines(decodeLine([bytes])), stdout);
  else if (json) stdout.write(`${JSON.stringify(frameToJson(bytes))}\n`);
  else stdout.write(`${(serial ? describeSerial(bytes) : describeFrame(bytes)).join('\n')}\n`);
}

/** The file in chunks. Throws HSK-6003 where it can't be read. */
async function* fileChunks(path: string): AsyncGenerator<Uint8Array> {
  try {
    yield* createReadStream(path) as AsyncIterable<Uint8Array>;
  } catch (error) {
    throw new HashikeError('HSK-6003', `${path} cannot be read: ${describeError(error)}`, { path }, error);
  }
}

async function* textLines(decoded: AsyncIterable<Decoded>): AsyncGenerator<string> {
  for await (const each of decoded) yield `${describeDecoded(each).join('\n')}\n`;
}

async function* jsonLines(decoded: AsyncIterable<Decoded>): AsyncGenerator<string> {
  for await (const each of decoded) yield `${JSON.stringify(decodedToJson(each))}\n`;
}

/** Writes as fast as it is read. A reader that has read enough, `head` say, is no failure. */
async function write(lines: AsyncIterable<string>, stdout: NodeJS.WritableStream): Promise<void> {
  try {
    await pipeline(Readable.from(lines), stdout, { end: false });
  } catch (error) {
    if (!isBrokenPipe(error)) throw error;
  }
}

function isBrokenPipe(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EPIPE';
}

async function readAll(stream: NodeJS.ReadableStream): Promise<string> {
  let text = '';
  for await (const chunk of stream) text += String(chunk);
  return text;
}
