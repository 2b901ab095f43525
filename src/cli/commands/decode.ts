import { buildCommand } from '@stricli/core';
import { parseHex } from '../../base/bytes.ts';
import { HashikeError } from '../../base/errors.ts';
import { describeFrame, describeSerial } from '../describe-frame.ts';
import type { CliContext } from '../context.ts';

interface Flags {
  readonly serial: boolean;
}

export const decodeCommand = buildCommand({
  docs: {
    brief: 'Print the fields of frames given in hex',
    fullDescription:
      'Takes the hex of one frame, in the long or the short form, or with --serial the bytes of a serial line (COBS, CRC), of which it prints every frame and whatever is wrong with it. Without arguments it reads standard input.',
  },
  parameters: {
    flags: {
      serial: {
        kind: 'boolean',
        brief: 'the bytes come from a serial line, stuffed and with checksums',
        default: false,
      },
    },
    positional: {
      kind: 'array',
      parameter: { brief: 'hex digits; white space does not matter', parse: String, placeholder: 'hex' },
    },
  },
  async func(this: CliContext, flags: Flags, ...parts: string[]): Promise<void> {
    const text = parts.length > 0 ? parts.join('') : await readAll(this.process.stdin);
    const bytes = parseHex(text);
    if (!bytes || bytes.length === 0) {
      throw new HashikeError('HSK-6001', 'the input is not hex: give an even number of the digits 0-9 a-f');
    }
    this.process.stdout.write(
      `${(flags.serial ? describeSerial(bytes) : describeFrame(bytes)).join('\n')}\n`,
    );
  },
});

async function readAll(stream: NodeJS.ReadableStream): Promise<string> {
  let text = '';
  for await (const chunk of stream) text += String(chunk);
  return text;
}
