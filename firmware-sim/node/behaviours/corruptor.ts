import type { Timer } from '../../clock.ts';
import type { Behaviour, Host } from '../behaviour.ts';

export interface CorruptorOptions {
  /** Mean time between two bursts. */
  readonly everyMs: number;
  /** The longest burst, in bytes; default 64. */
  readonly mostBytes?: number;
}

/** Puts random bytes on the line between frames, zeros among them. */
export function corruptor({ everyMs, mostBytes = 64 }: CorruptorOptions): Behaviour {
  let timer: Timer | undefined;
  const next = (host: Host): void => {
    timer = host.clock.after(everyMs * (0.5 + host.random.fraction()), () => {
      next(host);
      if (!host.asleep) host.junk(host.random.bytes(1 + host.random.below(mostBytes)));
    });
  };
  return { start: next, stop: () => timer?.cancel() };
}
