import { cpus, release } from 'node:os';
import type { PeerName } from './peers/peer.ts';
import type { Measurement, Spread } from './works/work.ts';

/** One line of the table. `met`: whether `ours` is at most `bar`; both null when a peer that the bar needs is not installed. */
export interface Row {
  readonly work: string;
  readonly figure: string;
  readonly unit: string;
  /** Median of the rounds. */
  readonly ours: number;
  readonly peers: Readonly<Record<string, number>>;
  readonly bar: number | null;
  readonly met: boolean | null;
  readonly rule: string;
  /** Least and most of the rounds. */
  readonly spread: Readonly<Record<string, readonly [least: number, most: number]>>;
}

export function rowOf({ work, figure, unit, values, rule, bar }: Measurement): Row {
  const peers: Partial<Record<PeerName, number>> = {};
  const spread: Record<string, readonly [number, number]> = {};
  for (const [name, value] of Object.entries(values) as [PeerName, Spread][]) {
    spread[name === 'hashike' ? 'ours' : name] = [rounded(value.least), rounded(value.most)];
    if (name !== 'hashike') peers[name] = rounded(value.median);
  }
  const ours = rounded(values.hashike?.median ?? Number.NaN);
  const limit = bar(peers);
  return {
    work,
    figure,
    unit,
    ours,
    peers,
    bar: limit === undefined ? null : rounded(limit),
    met: limit === undefined ? null : ours <= rounded(limit),
    rule,
    spread,
  };
}

/** To three digits: the rest is noise. */
function rounded(value: number): number {
  return Number(value.toPrecision(3));
}

export const tableHead = ['work', 'figure', 'ours', 'bar', 'met', 'peers', 'rule'] as const;

/** The cells of one line, each as text. */
export function cells(row: Row): readonly string[] {
  const { work, figure, unit, ours, peers, bar, met, rule, spread } = row;
  const others = Object.entries(peers).map(([name, value]) => `${name} ${value}${range(spread[name])}`);
  return [
    work,
    `${figure}, ${unit}`,
    `${ours}${range(spread['ours'])}`,
    bar === null ? '?' : String(bar),
    met === null ? '?' : met ? 'yes' : `no: ${(ours / (bar ?? 1)).toFixed(1)} ×`,
    others.join(', '),
    rule,
  ];
}

function range(spread: readonly [number, number] | undefined): string {
  return spread && spread[0] < spread[1] ? ` (${spread[0]}-${spread[1]})` : '';
}

/** What the figures were measured on. */
export function machine(): string {
  const processors = cpus();
  return `${processors.length} × ${processors[0]?.model.trim() ?? 'unknown processor'}, Linux ${release()}, Node ${process.version}`;
}
