import { execFile } from 'node:child_process';
import type { Log } from '../base/log.ts';

/** The part of sd_notify(3) that a service needs. */
export interface ServiceManager {
  /** Milliseconds within which systemd wants to hear `alive`; undefined when no watchdog is set. */
  readonly watchdogMs: number | undefined;
  /** Start-up is finished. */
  ready(status: string): void;
  alive(): void;
  stopping(): void;
}

/**
 * Speaks to systemd through its own `systemd-notify` program: Node has no datagram Unix sockets. The unit therefore needs
 * NotifyAccess=all. Where NOTIFY_SOCKET is not set, nothing is said.
 */
export function systemdServiceManager(environment: NodeJS.ProcessEnv, log: Log): ServiceManager {
  const socket = environment['NOTIFY_SOCKET'];
  const watchdogUs = Number(environment['WATCHDOG_USEC']);
  const say = (...states: string[]): void => {
    if (socket === undefined || socket === '') return;
    execFile('systemd-notify', states, { env: environment, timeout: 5000 }, (error) => {
      if (error) log.warn({ states, cause: error.message }, 'systemd could not be notified');
    });
  };
  return {
    watchdogMs: Number.isFinite(watchdogUs) && watchdogUs > 0 ? watchdogUs / 1000 : undefined,
    ready: (status) => say('READY=1', `STATUS=${status}`, `MAINPID=${process.pid}`),
    alive: () => say('WATCHDOG=1'),
    stopping: () => say('STOPPING=1'),
  };
}
