import { destination, pino, stdTimeFunctions } from 'pino';
import type { Log } from '../base/log.ts';

/**
 * The log of the process on standard error: structured lines for the journal, readable ones in a terminal. Written synchronously, so that the last line before a
 * crash is there.
 */
export async function createLogger(level: string, terminal: boolean): Promise<Log> {
  const options = {
    level,
    base: null,
    timestamp: stdTimeFunctions.isoTime,
    redact: ['token', 'password', 'resumeKey'],
  };
  if (!terminal) return asLog(pino(options, destination({ fd: 2, sync: true })));
  const { default: pretty } = await import('pino-pretty');
  return asLog(
    pino(options, pretty({ destination: 2, sync: true, translateTime: 'SYS:HH:MM:ss.l', singleLine: true })),
  );
}

/** Narrows pino's logger to what we use. */
function asLog(log: Log): Log {
  return log;
}
