import { randomBytes } from 'node:crypto';

/** Randomness, injected so that tests can seed it. */
export interface Random {
  /** `length` bytes fit for keys. */
  bytes(length: number): Uint8Array;
  /** A number in [0, 1), for jitter. */
  fraction(): number;
}

/** The operating system's generator. */
export const systemRandom: Random = {
  bytes: (length) => new Uint8Array(randomBytes(length)),
  fraction: () => randomBytes(4).readUInt32BE() / 0x1_0000_0000,
};
