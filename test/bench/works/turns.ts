import type { PeerName } from '../peers/peer.ts';
import { type Effort, type Spread, spreadOf } from './work.ts';

/** Something set up at one broker, to be measured again and again. */
export interface Turn {
  readonly name: PeerName;
  /** Figures of one turn, always as many. */
  measure(): Promise<readonly number[]>;
  stop(): Promise<void>;
}

/** Lets each broker warm up, then measures them in turns, so that what else the machine does meets them alike. Gives, per figure, the spread per broker. */
export async function takeTurns(
  setUp: readonly (() => Promise<Turn>)[],
  effort: Effort,
): Promise<readonly Readonly<Partial<Record<PeerName, Spread>>>[]> {
  const turns: Turn[] = [];
  try {
    for (const start of setUp) turns.push(await start());
    const taken = new Map<Turn, (readonly number[])[]>(turns.map((turn) => [turn, []]));
    for (const turn of turns) await turn.measure();
    for (let round = 0; round < effort.rounds; round += 1) {
      for (const [turn, figures] of taken) figures.push(await turn.measure());
    }
    const figures: Partial<Record<PeerName, Spread>>[] = [];
    for (const [turn, rounds] of taken) {
      for (const index of (rounds[0] ?? []).keys()) {
        const spread = spreadOf(rounds.map((round) => round[index] ?? Number.NaN));
        (figures[index] ??= {})[turn.name] = spread;
      }
    }
    return figures;
  } finally {
    await Promise.all(turns.map((turn) => turn.stop()));
  }
}
