import { buildCommand } from '@stricli/core';
import { configFlag } from '../flags.ts';

export const runCommand = buildCommand({
  docs: {
    brief: 'Run the gateway until SIGTERM or SIGINT',
    fullDescription:
      'Logs to standard error, structured, or readable in a terminal. SIGHUP makes it read its certificates, and the clients and profiles of its configuration, again; a configuration with problems is refused and changes nothing. Under systemd it says when it is ready and feeds the watchdog while it makes progress.',
  },
  parameters: { flags: { config: configFlag } },
  loader: async () => (await import('../run.ts')).run,
});
