import { buildCommand } from '@stricli/core';
import { systemdServiceManager } from '../../admin/service-manager.ts';
import { Watchdog } from '../../admin/watchdog.ts';
import { systemClock } from '../../base/clock.ts';
import { describeError, HashikeError } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import { systemRandom } from '../../base/random.ts';
import { loadConfig } from '../../config/load.ts';
import type { Config } from '../../config/schema.ts';
import type { CliContext } from '../context.ts';
import { configFlag } from '../flags.ts';
import { createLogger } from '../logger.ts';
import { version } from '../version.ts';

interface Flags {
  readonly config: string;
}

export const runCommand = buildCommand({
  docs: {
    brief: 'Run the gateway until SIGTERM or SIGINT',
    fullDescription:
      'Logs to standard error, structured, or readable in a terminal. SIGHUP makes it read its certificates, and the clients and profiles of its configuration, again; a configuration with problems is refused and changes nothing. Under systemd it says when it is ready and feeds the watchdog while it makes progress.',
  },
  parameters: { flags: { config: configFlag } },
  async func(this: CliContext, flags: Flags): Promise<void> {
    const { config, warnings } = loadConfig(flags.config);
    const log = await createLogger(config.log.level, this.process.stderr.isTTY);
    dieLoudly(log);
    for (const warning of warnings) log.warn({}, warning);
    // Heard from here on, so that a stop during the start is not lost.
    const { isTTY } = this.process.stderr;
    const stopped = stopSignal(isTTY ? ['SIGTERM', 'SIGINT', 'SIGHUP'] : ['SIGTERM', 'SIGINT']);
    const hangUp = { heard: (): Promise<void> => Promise.resolve() };
    // From a terminal it means that the terminal is gone.
    if (!isTTY) process.on('SIGHUP', () => void hangUp.heard());
    // Loaded here, so that the other commands start quickly.
    const { startGateway } = await import('../../gateway.ts');
    const gateway = await startGateway({ config, version, clock: systemClock, random: systemRandom, log });
    hangUp.heard = () => gateway.reload(readAgain(flags.config, log));
    const service = systemdServiceManager(process.env, log);
    const watchdog =
      service.watchdogMs === undefined
        ? undefined
        : new Watchdog({
            clock: systemClock,
            log,
            watched: gateway.watched,
            roundMs: service.watchdogMs / 3,
            alive: () => service.alive(),
          });
    watchdog?.start();
    service.ready(`${config.serial.length} serial ports, ${config.clients.length} clients`);
    log.info({ event: 'ready', version }, `gateway ${config.gateway.name} is ready`);
    const signal = await stopped;
    service.stopping();
    watchdog?.stop();
    log.info({ event: 'stopping', signal }, 'stopping');
    await gateway.stop();
    log.info({ event: 'stopped' }, 'stopped');
  },
});

/** The configuration as it is now; undefined, and said in the log, when it has problems. */
function readAgain(file: string, log: Log): Config | undefined {
  try {
    const { config, warnings } = loadConfig(file);
    for (const warning of warnings) log.warn({}, warning);
    return config;
  } catch (error) {
    if (!(error instanceof HashikeError)) throw error;
    log.error({ code: error.code, cure: error.cure }, `the configuration stays as it was: ${error.message}`);
    return undefined;
  }
}

function stopSignal(signals: readonly NodeJS.Signals[]): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const signal of signals) process.once(signal, resolve);
  });
}

/** What nobody caught is a bug: it is logged, and the process ends so that the service manager starts a clean one; acknowledged messages are on disk. */
function dieLoudly(log: Log): void {
  const die = (error: unknown): void => {
    const bug = new HashikeError('HSK-1001', `an error was not handled: ${describeError(error)}`, {}, error);
    log.error({ err: error, code: bug.code, cure: bug.cure }, bug.message);
    process.exit(1);
  };
  process.on('uncaughtException', die);
  process.on('unhandledRejection', die);
}
