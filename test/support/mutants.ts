import { Random } from '../../firmware-sim/random.ts';

/** What breaks decoders: the ends of ranges, lengths, the top bits, and the types of sections. */
const bytes = [0, 1, 2, 4, 8, 0x7f, 0x80, 0xc0, 0xfe, 0xff];
const words = [
  0, 1, 4, 8, 0xff, 0x0100, 0x0101, 0x0105, 0x0106, 0x0110, 0x011c, 0x7fff, 0x8000, 0xfffc, 0xffff,
];
/** A mutant has at most so many bytes more than what it was made of. */
const MOST_ADDED = 64;

/** Makes inputs for decoders out of good and bad ones: nearly right, so that they get past the first look. The same seed gives the same inputs. */
export class Mutants {
  readonly #random: Random;
  readonly #samples: readonly Uint8Array[];
  readonly #room: Uint8Array;

  constructor(samples: readonly Uint8Array[], seed: number) {
    this.#random = new Random(seed);
    this.#samples = samples;
    this.#room = new Uint8Array(2 * Math.max(...samples.map(({ length }) => length)) + MOST_ADDED);
  }

  /** The next input; the bytes are lent until the next call. */
  next(): Uint8Array {
    const random = this.#random;
    const sample = this.#sample();
    const room = this.#room;
    room.set(sample);
    let { length } = sample;
    for (let left = 1 + random.below(4); left > 0; left -= 1) {
      const at = random.below(length + 1);
      switch (random.below(7)) {
        case 0:
          room[at] = random.below(256);
          break;
        case 1:
          room[at] = (room[at] ?? 0) ^ (1 << random.below(8));
          break;
        case 2:
          room[at] = bytes[random.below(bytes.length)] ?? 0;
          break;
        case 3: {
          const word = words[random.below(words.length)] ?? 0;
          room[at & ~1] = word >> 8;
          room[at | 1] = word & 0xff;
          break;
        }
        case 4:
          length = at;
          break;
        case 5:
          length = this.#repeat(length, at);
          break;
        default:
          length = this.#cross(at);
      }
    }
    return room.subarray(0, length);
  }

  #sample(): Uint8Array {
    return this.#samples[this.#random.below(this.#samples.length)] ?? new Uint8Array(0);
  }

  /** Some bytes stand twice. */
  #repeat(length: number, at: number): number {
    const count = Math.min(length - at, this.#room.length - length, 1 + this.#random.below(MOST_ADDED));
    this.#room.copyWithin(at + count, at, length);
    return length + count;
  }

  /** Goes on as another sample does. */
  #cross(at: number): number {
    const other = this.#sample();
    const rest = other.subarray(this.#random.below(other.length + 1)).subarray(0, this.#room.length - at);
    this.#room.set(rest, at);
    return at + rest.length;
  }
}
