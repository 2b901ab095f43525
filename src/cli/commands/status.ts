import { buildCommand } from '@stricli/core';
import { readStatus, statusSocketPath } from '../../admin/status-server.ts';
import { systemClock } from '../../base/clock.ts';
import { loadConfig } from '../../config/load.ts';
import type { CliContext } from '../context.ts';
import { configFlag } from '../flags.ts';
import { formatStatus } from '../format-status.ts';

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
    const { config } = loadConfig(flags.config);
    const status = await readStatus(statusSocketPath(config.gateway.runtimeDirectory));
    this.process.stdout.write(
      flags.json ? `${JSON.stringify(status)}\n` : formatStatus(status, systemClock.wall()),
    );
  },
});
