/** Numbers of notifications are 24 bits wide (RFC 7641, section 3.4). */
const RANGE = 2 ** 24;
/** Steps of a number in a millisecond: more than notifications can be, and less than would turn the order around within the 128 s of section 3.4. */
const STEPS_PER_MS = 16;

/**
 * The number of the next notification of one device and token. It follows the time, so that the numbers go on growing when the device registers anew or the
 * gateway was started anew; a device takes a smaller one for old and drops it. Numbers are even, the odd ones are for `numberBefore`, and 0 is left out: the library
 * takes it for an observation without an answer.
 * @param last of the notification before
 * @param wall epoch ms
 */
export function nextNumber(last: number | undefined, wall: number): number {
  const byTime = (Math.floor(wall * STEPS_PER_MS) % RANGE) & ~1 || 2;
  if (last === undefined) return byTime;
  const ahead = (byTime - last + RANGE) % RANGE;
  return ahead > 1 && ahead < RANGE / 2 ? byTime : ((last & ~1) + 2) % RANGE || 2;
}

/** A number between `number` and the one before it: of an answer to a registration while the notification `number` is still on its way, which must not seem old. */
export function numberBefore(number: number): number {
  return number - 1;
}
