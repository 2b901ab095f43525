import type { Config } from '../config/schema.ts';

/** How much a configuration asks for, in a line's end. */
export function configSummary({ serial, clients }: Config): string {
  return `serial ports: ${serial.length}, clients: ${clients.length}`;
}
