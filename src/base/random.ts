/** Randomness, injected so that tests can seed it. */
export interface Random {
  /** `length` bytes fit for keys. */
  bytes(length: number): Uint8Array;
  /** A number in [0, 1), for jitter. */
  fraction(): number;
}

/** The operating system's generator, as browsers have it too. */
export const systemRandom: Random = {
  bytes: (length) => crypto.getRandomValues(new Uint8Array(length)),
  fraction: () => {
    const [drawn = 0] = crypto.getRandomValues(new Uint32Array(1));
    return drawn / 0x1_0000_0000;
  },
};
