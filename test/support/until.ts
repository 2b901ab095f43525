import { setTimeout as pause } from 'node:timers/promises';

/**
 * Looks every ten milliseconds until `condition` gives something true, which is returned.
 * @param what said in the Error that is thrown after `withinMs`.
 */
export async function until<T>(
  condition: () => T | Promise<T>,
  withinMs: number,
  what: string | (() => string | Promise<string>),
): Promise<T> {
  const end = performance.now() + withinMs;
  for (;;) {
    const result = await condition();
    if (result) return result;
    if (performance.now() > end) {
      throw new Error(`not within ${withinMs} ms: ${typeof what === 'string' ? what : await what()}`);
    }
    await pause(10);
  }
}
