import type { PeerName } from '../peers/peer.ts';

/** How long and how often to measure. */
export interface Effort {
  /** Rounds, in each of which every broker has its turn. */
  readonly rounds: number;
  /** What one turn takes, roughly. */
  readonly turnSeconds: number;
  /** Connected sessions whose memory is measured. */
  readonly sessions: number;
  /** Subscriptions at the large end. */
  readonly subscriptions: number;
  /** How long a broker is left alone before its memory counts. */
  readonly settleMs: number;
}

/** Median of the rounds, and their range. */
export interface Spread {
  readonly median: number;
  readonly least: number;
  readonly most: number;
}

/** What was measured of one figure. */
export interface Measurement {
  readonly work: string;
  readonly figure: string;
  readonly unit: string;
  /** By broker; ours is `hashike`. */
  readonly values: Readonly<Partial<Record<PeerName, Spread>>>;
  /** What ours is to be at most, as people say it. */
  readonly rule: string;
  /** The same as a number, from the medians of the peers; undefined when one that it needs is not installed. */
  readonly bar: (peers: Readonly<Partial<Record<PeerName, number>>>) => number | undefined;
}

/** One line of the table, or several that come of the same run. */
export interface Work {
  /** For `--work`. */
  readonly id: string;
  readonly peers: readonly PeerName[];
  /** @param peers those of `peers` that are installed */
  measure(peers: readonly PeerName[], effort: Effort): Promise<readonly Measurement[]>;
}

export function spreadOf(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const { length } = sorted;
  const at = (index: number): number => sorted[index] ?? Number.NaN;
  return {
    median: (at((length - 1) >> 1) + at(length >> 1)) / 2,
    least: at(0),
    most: at(length - 1),
  };
}

/** The value below which `part` of the sorted `values` lie. */
export function percentile(sorted: Float64Array, part: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;
}

/** A bar of so many times each peer: the strictest holds. */
export function timesPeers(factors: Readonly<Partial<Record<PeerName, number>>>): Measurement['bar'] {
  return (peers) => {
    let bar = Number.POSITIVE_INFINITY;
    for (const [name, factor] of Object.entries(factors)) {
      const value = peers[name as PeerName];
      if (value === undefined) return undefined;
      bar = Math.min(bar, value * factor);
    }
    return bar;
  };
}
