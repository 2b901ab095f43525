/** `--config FILE`, with the place where the service keeps it as default. */
export const configFlag = {
  kind: 'parsed',
  parse: String,
  brief: 'configuration file',
  placeholder: 'FILE',
  default: '/etc/hashike/hashike.yaml',
} as const;

/** Whole numbers on the command line. */
export function wholeNumber(text: string): number {
  if (!/^\d+$/.test(text)) throw new SyntaxError(`${JSON.stringify(text)} is not a whole number`);
  return Number(text);
}
