/**
 * What a loop tells the watchdog about the time since it was asked last: it came on, it has provably nothing to do, or it ought to have
 * come on and did not.
 */
export type Progress = 'advanced' | 'idle' | 'stuck';
