import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject } from 'node:crypto';
import { HashikeError } from '../base/errors.ts';
import { DATAGRAM_TAG_BYTES } from './datagram.ts';

const ALGORITHM = 'aes-128-ccm';
const AES_KEY_BYTES = 16;
const SALT_BYTES = 8;
const options = { authTagLength: DATAGRAM_TAG_BYTES };

/** Who sent a datagram: the direction byte of the nonce (clause 8.2.1). */
export const Direction = { FROM_CLIENT: 0, FROM_SERVER: 1 } as const;
export type Direction = (typeof Direction)[keyof typeof Direction];

/** AES-128-CCM with the KEY of a ticket (clause 8.2). The key leaves it in no way. */
export class DatagramCipher {
  readonly #key: KeyObject;
  readonly #salt: Uint8Array;

  /** @param key 16-byte AES key, 8-byte salt. */
  constructor(key: Uint8Array) {
    this.#key = createSecretKey(key.subarray(0, AES_KEY_BYTES));
    this.#salt = Uint8Array.from(key.subarray(AES_KEY_BYTES, AES_KEY_BYTES + SALT_BYTES));
  }

  /** The whole datagram: `header`, the payload encrypted, and the tag over both. */
  seal(direction: Direction, packetNumber: number, header: Uint8Array, payload: Uint8Array): Uint8Array {
    const cipher = createCipheriv(ALGORITHM, this.#key, this.#nonce(direction, packetNumber), options);
    cipher.setAAD(header, { plaintextLength: payload.length });
    const encrypted = cipher.update(payload);
    cipher.final();
    const datagram = new Uint8Array(header.length + payload.length + DATAGRAM_TAG_BYTES);
    datagram.set(header);
    datagram.set(encrypted, header.length);
    datagram.set(cipher.getAuthTag(), header.length + payload.length);
    return datagram;
  }

  /** The payload of `sealed` (payload and tag). Throws HSK-1106 when it is not authentic. */
  open(direction: Direction, packetNumber: number, header: Uint8Array, sealed: Uint8Array): Uint8Array {
    const length = sealed.length - DATAGRAM_TAG_BYTES;
    const decipher = createDecipheriv(ALGORITHM, this.#key, this.#nonce(direction, packetNumber), options);
    try {
      decipher.setAuthTag(sealed.subarray(length));
      decipher.setAAD(header, { plaintextLength: length });
      const payload = decipher.update(sealed.subarray(0, length));
      decipher.final();
      return payload;
    } catch (error) {
      throw new HashikeError('HSK-1106', 'a datagram is not authentic', { packetNumber }, error);
    }
  }

  /**
   *     +----------+-----------+-------------------+
   *     | salt (8) | direction | packet number (4) |
   *     +----------+-----------+-------------------+
   */
  #nonce(direction: Direction, packetNumber: number): Uint8Array {
    const nonce = new Uint8Array(SALT_BYTES + 5);
    nonce.set(this.#salt);
    nonce[SALT_BYTES] = direction;
    new DataView(nonce.buffer).setUint32(SALT_BYTES + 1, packetNumber);
    return nonce;
  }
}
