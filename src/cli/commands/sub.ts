import { buildCommand } from '@stricli/core';
import { hex } from '../../base/bytes.ts';
import { contentSections } from '../../wire/content.ts';
import { connectBy, type ConnectionFlags, connectionFlags } from '../connection-flags.ts';
import type { CliContext } from '../context.ts';
import { wholeNumber } from '../flags.ts';

interface Flags extends ConnectionFlags {
  readonly count?: number;
  readonly bestEffort: boolean;
}

export const subscribeCommand = buildCommand({
  docs: {
    brief: 'Print what is published on a running gateway, one JSON line a message',
    fullDescription:
      'Each line has topic, client, `retained` where it was kept from before, and the contents as [type, hex]. Ends after --count messages, or with Ctrl-C.',
  },
  parameters: {
    flags: {
      ...connectionFlags,
      count: {
        kind: 'parsed',
        parse: wholeNumber,
        brief: 'end after so many messages',
        placeholder: 'N',
        optional: true,
      },
      bestEffort: { kind: 'boolean', brief: 'subscribe best effort', default: false },
    },
    positional: {
      kind: 'tuple',
      parameters: [{ brief: 'topic filter, with + and #', parse: String, placeholder: 'filter' }],
    },
  },
  async func(this: CliContext, flags: Flags, filter: string): Promise<void> {
    const client = await connectBy(flags, this.process.env);
    try {
      let left = flags.count ?? Number.POSITIVE_INFINITY;
      if (left === 0) return;
      for await (const { topic, publisher, content, retained } of await client.subscribe(filter, {
        reliable: !flags.bestEffort,
      })) {
        const contents = contentSections(content).map(({ contentType, value }) => [
          `0x${contentType.toString(16)}`,
          hex(value),
        ]);
        this.process.stdout.write(
          `${JSON.stringify({ topic, client: publisher, ...(retained && { retained }), contents })}\n`,
        );
        left -= 1;
        if (left === 0) return;
      }
    } finally {
      await client.close();
    }
  },
});
