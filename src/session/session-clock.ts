import type { Age } from './ports.ts';

/** The server's session clock at `now`: milliseconds since `epoch` plus 1, modulo 2^32 (clause 3.1.3). Never 0, which says "unknown". */
export function timestampAt(epoch: number, now: number): number {
  return (Math.floor(now - epoch) + 1) >>> 0 || 1;
}

/** How long before `now` the content with `timestamp` was taken; nobody knows for timestamp 0. */
export function ageOf(timestamp: number, epoch: number, now: number, roundTripMs: number | undefined): Age {
  if (timestamp === 0) return { ms: 0, uncertainty: undefined };
  // As a signed number, so that a sender whose clock runs ahead of ours is not taken for one of 49 days ago.
  const ms = (timestampAt(epoch, now) - timestamp) | 0;
  return {
    ms: Math.max(0, ms),
    uncertainty: roundTripMs === undefined ? undefined : Math.max(1, roundTripMs),
  };
}
