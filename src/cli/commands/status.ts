import { buildCommand } from '@stricli/core';
import type { GatewayStatus, Json } from '../../admin/status.ts';
import { readStatus, statusSocketPath } from '../../admin/status-server.ts';
import { systemClock } from '../../base/clock.ts';
import { loadConfig } from '../../config/load.ts';
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
    const { config } = loadConfig(flags.config);
    const status = await readStatus(statusSocketPath(config.gateway.runtimeDirectory));
    this.process.stdout.write(
      flags.json ? `${JSON.stringify(status)}\n` : formatStatus(status, systemClock.wall()),
    );
  },
});

/** The status for people; `now` is epoch milliseconds. */
function formatStatus(status: GatewayStatus, now: number): string {
  const seconds = Math.round((now - status.startedAt) / 1000);
  const lines = [`${status.gateway}: hashike ${status.version}, process ${status.pid}, up ${seconds} s`];
  const section = (title: string, rows: readonly string[]): void => {
    lines.push('', title, ...(rows.length > 0 ? rows.map((row) => `  ${row}`) : ['  none']));
  };
  section(
    'links',
    status.links.map(({ name, state, detail }) => `${name}: ${state}${details(detail)}`),
  );
  section(
    'clients',
    status.clients.map((client) => details(client).trim()),
  );
  section(
    'upstream',
    status.upstream.map(({ name, state, detail }) => `${name}: ${state}${details(detail)}`),
  );
  section(
    'spool',
    status.spool.map(({ consumer, messages, bytes }) => `${consumer}: ${messages} messages, ${bytes} bytes`),
  );
  section(
    'counters',
    status.counters.map(({ name, labels, value }) => `${name}${details(labels)} ${value}`),
  );
  return `${lines.join('\n')}\n`;
}

function details(value: Json): string {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return ` ${JSON.stringify(value)}`;
  return Object.entries(value)
    .filter(([, each]) => each !== undefined && each !== null)
    .map(([key, each]) => ` ${key}=${typeof each === 'string' ? each : JSON.stringify(each)}`)
    .join('');
}
