import { systemdServiceManager } from '../admin/service-manager.ts';
import { Watchdog } from '../admin/watchdog.ts';
import { systemClock } from '../base/clock.ts';
import { describeError, HashikeError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { systemRandom } from '../base/random.ts';
import { loadConfigApart } from '../config/load-apart.ts';
import type { Config } from '../config/schema.ts';
import { configSummary } from './config-summary.ts';
import type { CliContext } from './context.ts';
import { oneAtATime } from './one-at-a-time.ts';
import { version } from './version.ts';

interface Flags {
  readonly config: string;
}

/** Runs the gateway until a signal stops it. Throws HSK-2401 and HSK-2402, and what `startGateway` throws. */
export async function run(this: CliContext, flags: Flags): Promise<void> {
  const { isTTY } = this.process.stderr;
  // Heard from here on, so that a stop during the start is not lost.
  const stopped = stopSignal(isTTY ? ['SIGTERM', 'SIGINT', 'SIGHUP'] : ['SIGTERM', 'SIGINT']);
  const hangUp = { heard: (): void => undefined };
  // From a terminal it means that the terminal is gone.
  if (!isTTY) process.on('SIGHUP', () => hangUp.heard());
  // Side by side, for a gateway is waited for.
  const [{ config, warnings }, { createLogger }, { startGateway }] = await Promise.all([
    loadConfigApart(flags.config),
    import('./logger.ts'),
    import('../gateway.ts'),
  ]);
  const log = await createLogger(config.log.level, isTTY);
  dieLoudly(log);
  for (const warning of warnings) log.warn({}, warning);
  const gateway = await startGateway({ config, version, clock: systemClock, random: systemRandom, log });
  hangUp.heard = oneAtATime(async () => gateway.reload(await readAgain(flags.config, log)));
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
  service.ready(configSummary(config));
  log.info({ event: 'ready', version }, `gateway ${config.gateway.name} is ready`);
  const signal = await stopped;
  service.stopping();
  watchdog?.stop();
  log.info({ event: 'stopping', signal }, 'stopping');
  await gateway.stop();
  log.info({ event: 'stopped' }, 'stopped');
}

/** The configuration as it is now; undefined, and said in the log, when it has problems. */
async function readAgain(file: string, log: Log): Promise<Config | undefined> {
  try {
    const { config, warnings } = await loadConfigApart(file);
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
