import { buildCommand } from '@stricli/core';
import { systemClock } from '../../base/clock.ts';
import type { CliContext } from '../context.ts';
import { configFlag } from '../flags.ts';

interface Flags {
  readonly config: string;
  readonly json: boolean;
}

export const statusCommand = buildCommand({
  docs: { brief: 'Print what the running gateway does: links, clients, upstream, queues, counters, drops' },
  parameters: {
    flags: {
      config: configFlag,
      json: { kind: 'boolean', brief: 'print JSON', default: false },
    },
  },
  async func(this: CliContext, flags: Flags): Promise<void> {
    const { loadConfig } = await import('../../config/load.ts');
    const { readStatus, statusSocketPath } = await import('../../admin/status-server.ts');
    const { formatStatus } = await import('../format-status.ts');
    const { config } = loadConfig(flags.config);
    const status = await readStatus(statusSocketPath(config.gateway.runtimeDirectory));
    this.process.stdout.write(
      flags.json ? `${JSON.stringify(status)}\n` : formatStatus(status, systemClock.wall()),
    );
  },
});
