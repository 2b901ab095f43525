import { buildCommand } from '@stricli/core';
import { configSummary } from '../config-summary.ts';
import type { CliContext } from '../context.ts';
import { configFlag } from '../flags.ts';

interface Flags {
  readonly config: string;
}

export const checkCommand = buildCommand({
  docs: {
    brief: 'Check a configuration without starting anything',
    fullDescription:
      'Prints every problem with its line, its key, what is wrong and what would be right. Exit code 0: it can be run, 2: it cannot.',
  },
  parameters: { flags: { config: configFlag } },
  async func(this: CliContext, flags: Flags): Promise<void> {
    const { loadConfig } = await import('../../config/load.ts');
    const { config, warnings } = loadConfig(flags.config);
    for (const warning of warnings) this.process.stderr.write(`warning: ${warning}\n`);
    const { name } = config.gateway;
    this.process.stdout.write(`${flags.config} is good: gateway ${name}, ${configSummary(config)}\n`);
  },
});
