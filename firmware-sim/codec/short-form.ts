import { join, Malformed, Reader, uint, varint } from './bytes.ts';
import { fixedLength, type Layout } from './layout.ts';

/**
 * One frame of the short form (6.1), as far as it can be told without knowing the alias.
 *
 *     1 | kind (3 bits) | low (4 bits)    then what the kind says
 */
export type ShortFrame =
  | { readonly kind: 'publish'; readonly alias: number; readonly content: Uint8Array }
  | { readonly kind: 'reliable'; readonly alias: number; readonly id8: number; readonly content: Uint8Array }
  | {
      readonly kind: 'batch';
      readonly alias: number;
      readonly id8: number;
      readonly count: number;
      readonly readings: Uint8Array;
    }
  | {
      readonly kind: 'ack';
      readonly confirmed: boolean;
      readonly id8: number;
      readonly credit?: number | undefined;
    }
  | { readonly kind: 'ping' | 'pong'; readonly echo: number }
  | { readonly kind: 'reset' }
  | { readonly kind: 'resume'; readonly answer: boolean; readonly tail: number; readonly id8: number }
  | {
      readonly kind: 'fragment';
      readonly last: boolean;
      readonly id8: number;
      readonly index: number;
      readonly bytes: Uint8Array;
    };

/** One reading of a batch: `age` in milliseconds. */
export interface Aged {
  readonly age: number;
  readonly content: Uint8Array;
}

const kinds = {
  publish: 0,
  reliable: 1,
  batch: 2,
  ack: 3,
  ping: 4,
  pong: 4,
  reset: 5,
  resume: 6,
  fragment: 7,
};

/** Whether a frame is of the short form (1.3). */
export function isShort(frame: Uint8Array): boolean {
  return ((frame[0] ?? 0) & 0x80) !== 0;
}

function lead(kind: keyof typeof kinds, low: number): Uint8Array {
  return Uint8Array.of(0x80 | (kinds[kind] << 4) | low);
}

function leadAlias(kind: keyof typeof kinds, alias: number): Uint8Array {
  return alias < 15 ? lead(kind, alias) : join(lead(kind, 15), uint(alias, 1));
}

export function encodeShort(frame: ShortFrame): Uint8Array {
  switch (frame.kind) {
    case 'publish':
      return join(leadAlias('publish', frame.alias), frame.content);
    case 'reliable':
      return join(leadAlias('reliable', frame.alias), uint(frame.id8, 1), frame.content);
    case 'batch':
      return join(leadAlias('batch', frame.alias), uint(frame.id8, 1), uint(frame.count, 1), frame.readings);
    case 'ack': {
      const credit = frame.credit === undefined ? [] : [uint(frame.credit, 1)];
      return join(lead('ack', credit.length | (frame.confirmed ? 2 : 0)), uint(frame.id8, 1), ...credit);
    }
    case 'ping':
      return join(lead('ping', 0), uint(frame.echo, 1));
    case 'pong':
      return join(lead('pong', 1), uint(frame.echo, 1));
    case 'reset':
      return lead('reset', 0);
    case 'resume':
      return join(lead('resume', frame.answer ? 1 : 0), uint(frame.tail, 2), uint(frame.id8, 1));
    case 'fragment':
      return join(
        lead('fragment', frame.last ? 1 : 0),
        uint(frame.id8, 1),
        uint(frame.index, 1),
        frame.bytes,
      );
  }
}

/** Throws Malformed. */
export function decodeShort(bytes: Uint8Array): ShortFrame {
  const reader = new Reader(bytes);
  const first = reader.uint(1);
  if (first < 0x80) throw new Malformed('1.3: not of the short form');
  const low = first & 0x0f;
  const alias = (): number => (low < 15 ? low : reader.uint(1));
  const whole = (frame: ShortFrame): ShortFrame => {
    reader.end('6.1');
    return frame;
  };
  switch ((first >> 4) & 0x07) {
    case 0:
      return { kind: 'publish', alias: alias(), content: reader.rest() };
    case 1:
      return { kind: 'reliable', alias: alias(), id8: reader.uint(1), content: reader.rest() };
    case 2: {
      const batch = { kind: 'batch', alias: alias(), id8: reader.uint(1), count: reader.uint(1) } as const;
      if (batch.count === 0) throw new Malformed('6.1.4: a batch of none');
      return { ...batch, readings: reader.rest() };
    }
    case 3: {
      const ack = { kind: 'ack', confirmed: (low & 2) !== 0, id8: reader.uint(1) } as const;
      return whole(low & 1 ? { ...ack, credit: reader.uint(1) } : ack);
    }
    case 4:
      return whole({ kind: low & 1 ? 'pong' : 'ping', echo: reader.uint(1) });
    case 5:
      return whole({ kind: 'reset' });
    case 6:
      return whole({ kind: 'resume', answer: (low & 1) !== 0, tail: reader.uint(2), id8: reader.uint(1) });
    default:
      return {
        kind: 'fragment',
        last: (low & 1) !== 0,
        id8: reader.uint(1),
        index: reader.uint(1),
        bytes: reader.rest(),
      };
  }
}

/** The readings of a batch, oldest first, as they stand after its count (6.1.4). */
export function encodeReadings(layout: Layout, readings: readonly Aged[]): Uint8Array {
  const fixed = fixedLength(layout) !== undefined;
  return join(
    ...readings.flatMap(({ age, content }) => [
      varint(age),
      ...(fixed ? [] : [varint(content.length)]),
      content,
    ]),
  );
}

/** The reverse of `encodeReadings`. Throws Malformed. */
export function decodeReadings(layout: Layout, count: number, bytes: Uint8Array): Aged[] {
  const reader = new Reader(bytes);
  const length = fixedLength(layout);
  const readings = Array.from({ length: count }, () => ({
    age: reader.varint(),
    content: reader.take(length ?? reader.varint()),
  }));
  reader.end('6.1.4');
  return readings;
}

/** The full number nearest to `expected` whose low byte is `id8`; of two equally near the higher, and none below 0 (6.2.1). */
export function widen(id8: number, expected: number): number {
  const same = expected - (expected % 256) + id8;
  const candidates = [same - 256, same, same + 256].filter((candidate) => candidate >= 0);
  return candidates.reduce((best, candidate) =>
    Math.abs(candidate - expected) <= Math.abs(best - expected) ? candidate : best,
  );
}
