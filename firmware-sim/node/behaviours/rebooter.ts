import type { Timer } from '../../clock.ts';
import type { Behaviour, Host, Keeps } from '../behaviour.ts';

export interface RebooterOptions {
  /** Mean time between two reboots; each is drawn from half to one and a half times that. */
  readonly everyMs: number;
  /** One of these is drawn each time; default `all` and `nothing`, which can not make the same reading arrive under two numbers. */
  readonly keeps?: readonly Keeps[];
}

/** Loses its power at random moments. */
export function rebooter({ everyMs, keeps = ['all', 'nothing'] }: RebooterOptions): Behaviour {
  let timer: Timer | undefined;
  return {
    start: (host: Host) => {
      timer = host.clock.after(everyMs * (0.5 + host.random.fraction()), () =>
        host.reboot(keeps[host.random.below(keeps.length)] ?? 'all'),
      );
    },
    stop: () => timer?.cancel(),
  };
}
