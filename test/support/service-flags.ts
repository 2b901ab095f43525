import { readFileSync } from 'node:fs';

/** The flags of Node with which the service runs the gateway: ExecStart of the systemd unit. */
export function serviceFlags(): readonly string[] {
  const unit = readFileSync(new URL('../../systemd/hashike.service', import.meta.url), 'utf8');
  const [, flags] = /^ExecStart=\S+\/node (.*) \S+\/main\.js /mv.exec(unit) ?? [];
  if (flags === undefined) throw new Error('the systemd unit has another ExecStart');
  return flags.split(' ');
}
