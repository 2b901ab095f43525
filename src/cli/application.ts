import { buildApplication, buildRouteMap, run, text_en } from '@stricli/core';
import { describeError, HashikeError } from '../base/errors.ts';
import { checkCommand } from './commands/check.ts';
import { decodeCommand } from './commands/decode.ts';
import { publishCommand } from './commands/pub.ts';
import { runCommand } from './commands/run.ts';
import { statusCommand } from './commands/status.ts';
import { subscribeCommand } from './commands/sub.ts';
import { newTokenCommand } from './commands/token.ts';
import type { CliContext } from './context.ts';
import { version } from './version.ts';

/** Exit codes: 0 done, 1 it failed, 2 the command line or the configuration is wrong. */
const FAILED = 1;
const MISUSED = 2;

/** What a user reads of an error: what is wrong and what to do, never a stack trace, unless it is our bug. */
function explain(thrown: unknown): string {
  if (!(thrown instanceof HashikeError))
    return thrown instanceof Error ? (thrown.stack ?? thrown.message) : describeError(thrown);
  return thrown.fault === 'bug' ? (thrown.stack ?? thrown.message) : `${thrown.message}\n  ${thrown.cure}`;
}

const application = buildApplication<CliContext>(
  buildRouteMap({
    routes: {
      run: runCommand,
      check: checkCommand,
      pub: publishCommand,
      sub: subscribeCommand,
      decode: decodeCommand,
      status: statusCommand,
      token: buildRouteMap({ routes: { new: newTokenCommand }, docs: { brief: 'Make access tokens' } }),
    },
    docs: { brief: 'Hashike, the edge gateway for constrained devices' },
  }),
  {
    name: 'hashike',
    versionInfo: { currentVersion: version },
    scanner: { caseStyle: 'allow-kebab-for-camel' },
    documentation: { disableAnsiColor: true },
    determineExitCode: (thrown) =>
      thrown instanceof HashikeError && thrown.fault === 'caller' ? MISUSED : FAILED,
    localization: {
      text: { ...text_en, exceptionWhileRunningCommand: explain, commandErrorResult: explain },
    },
  },
);

/** Runs the command line `args` (without node and script) and sets `process.exitCode`. */
export async function runCli(args: readonly string[], process: NodeJS.Process): Promise<void> {
  const { stdin, stdout, stderr, env } = process;
  const context: CliContext = { process: { stdin, stdout, stderr, env } };
  await run(application, args, context);
  const code = Number(context.process.exitCode ?? 0);
  // The library's codes for an unknown command or a bad argument are negative.
  process.exitCode = code < 0 ? MISUSED : code;
}
