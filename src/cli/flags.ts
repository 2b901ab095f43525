import { DEFAULT_TCP_PORT, DEFAULT_TLS_PORT } from '../wire/numbers.ts';

/** `--config FILE`, with the place where the service keeps it as default. */
export const configFlag = {
  kind: 'parsed',
  parse: String,
  brief: 'configuration file',
  placeholder: 'FILE',
  default: '/etc/hashike/hashike.yaml',
} as const;

/** TCP and UDP, and TLS, of which it is only said that it is encrypted (docs/protocol.md, clause 1.4). */
export const defaultPorts = [DEFAULT_TCP_PORT, DEFAULT_TLS_PORT];

/** Whole numbers on the command line. */
export function wholeNumber(text: string): number {
  if (!/^\d+$/.test(text)) throw new SyntaxError(`${JSON.stringify(text)} is not a whole number`);
  return Number(text);
}
