import { buildCommand } from '@stricli/core';
import { parseHex, utf8 } from '../../base/bytes.ts';
import { HashikeError } from '../../base/errors.ts';
import { encodeContent } from '../../wire/content.ts';
import { FIRST_CONTENT_TYPE, OPAQUE_CONTENT_TYPE } from '../../wire/numbers.ts';
import { connectBy, type ConnectionFlags, connectionFlags } from '../connection-flags.ts';
import type { CliContext } from '../context.ts';

interface Flags extends ConnectionFlags {
  readonly type: number;
  readonly hex: boolean;
  readonly bestEffort: boolean;
  readonly retain: boolean;
}

export const publishCommand = buildCommand({
  docs: {
    brief: 'Publish one message to a running gateway',
    fullDescription:
      'Ends with 0 when the gateway has acknowledged the message: where it goes to disk, it is on disk.',
  },
  parameters: {
    flags: {
      ...connectionFlags,
      type: {
        kind: 'parsed',
        parse: contentType,
        brief: 'type of the content section, from 0x8000 to 0xffff',
        placeholder: 'TYPE',
        default: `0x${OPAQUE_CONTENT_TYPE.toString(16)}`,
      },
      hex: { kind: 'boolean', brief: 'the value is hex, not text', default: false },
      bestEffort: { kind: 'boolean', brief: 'do not wait for an acknowledgement', default: false },
      retain: {
        kind: 'boolean',
        brief: 'the gateway keeps it for those who subscribe later; an empty value clears that',
        default: false,
      },
    },
    positional: {
      kind: 'tuple',
      parameters: [
        { brief: 'topic', parse: String, placeholder: 'topic' },
        { brief: 'value, as text unless --hex', parse: String, placeholder: 'value' },
      ],
    },
  },
  async func(this: CliContext, flags: Flags, topic: string, text: string): Promise<void> {
    const value = flags.hex ? parseHex(text) : utf8(text);
    if (!value)
      throw new HashikeError('HSK-6001', 'the value is not hex: give an even number of the digits 0-9 a-f');
    const client = await connectBy(flags, this.process.env);
    try {
      const clears = flags.retain && value.length === 0;
      await client.publish(topic, encodeContent(clears ? [] : [{ contentType: flags.type, value }]), {
        reliable: !flags.bestEffort,
        retain: flags.retain,
      });
    } finally {
      await client.close();
    }
  },
});

function contentType(text: string): number {
  const type = Number(text);
  if (!Number.isInteger(type) || type < FIRST_CONTENT_TYPE || type > 0xffff) {
    throw new SyntaxError(`${JSON.stringify(text)} is not a content type from 0x8000 to 0xffff`);
  }
  return type;
}
