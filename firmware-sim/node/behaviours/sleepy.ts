import type { Timer } from '../../clock.ts';
import type { Behaviour, Host } from '../behaviour.ts';

export interface SleepyOptions {
  readonly asleepMs: number;
  /** How long the node stays awake at least, to hear commands. */
  readonly awakeMs: number;
  /** How long it waits at most for what it sent to be acknowledged; default 10 times `awakeMs`. */
  readonly patienceMs?: number;
}

/** Sleeps, wakes to send in batches what was taken meanwhile, and sleeps again once it is acknowledged. */
export function sleepy({ asleepMs, awakeMs, patienceMs = 10 * awakeMs }: SleepyOptions): Behaviour {
  let timer: Timer | undefined;
  const awake = (host: Host, sinceMs: number): void => {
    timer = host.clock.after(awakeMs, () => {
      const stay = !host.settled && sinceMs + awakeMs < patienceMs;
      if (stay) awake(host, sinceMs + awakeMs);
      else asleep(host);
    });
  };
  const asleep = (host: Host): void => {
    host.sleep();
    timer = host.clock.after(asleepMs, () => {
      host.wake();
      awake(host, 0);
    });
  };
  return { start: (host) => awake(host, 0), stop: () => timer?.cancel() };
}
