/** Fields of a structured log line. Never put a secret here. */
export type LogFields = Readonly<Record<string, unknown>>;

/** What every module logs through; pino satisfies it, and so does `silentLog` in tests. */
export interface Log {
  debug(fields: LogFields, text: string): void;
  info(fields: LogFields, text: string): void;
  warn(fields: LogFields, text: string): void;
  error(fields: LogFields, text: string): void;
  child(fields: LogFields): Log;
}

const nothing = (): void => undefined;

/** Discards everything. */
export const silentLog: Log = {
  debug: nothing,
  info: nothing,
  warn: nothing,
  error: nothing,
  child: () => silentLog,
};
