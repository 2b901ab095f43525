import { createCipheriv } from 'node:crypto';

const BLOCK = 16;

export interface CcmInput {
  /** 16 bytes. */
  readonly key: Uint8Array;
  /** 7-13 bytes. */
  readonly nonce: Uint8Array;
  /** At most 65,279 bytes. */
  readonly associated: Uint8Array;
  readonly payload: Uint8Array;
  readonly tagBytes: number;
}

/**
 * CCM by the book (NIST SP 800-38C, section 6.1 and appendix A), from nothing but the AES block cipher: what the product's use of a library is compared with.
 * Gives the ciphertext followed by the tag.
 */
export function ccm({ key, nonce, associated, payload, tagBytes }: CcmInput): Uint8Array {
  const lengthBytes = 15 - nonce.length;
  // A.2.1: B0 = flags | nonce | length of the payload.
  const b0 = new Uint8Array(BLOCK);
  b0[0] = (associated.length > 0 ? 0x40 : 0) | (((tagBytes - 2) / 2) << 3) | (lengthBytes - 1);
  b0.set(nonce, 1);
  for (let index = 0, left = payload.length; index < lengthBytes; index += 1, left >>>= 8)
    b0[15 - index] = left;
  // A.2.2 and A.2.3: the associated data after its length in two bytes, then the payload, each filled up with zeros.
  const header = associated.length > 0 ? [associated.length >>> 8, associated.length, ...associated] : [];
  const blocks = [...b0, ...filled(header), ...filled(payload)];
  let mac = new Uint8Array(BLOCK);
  for (let at = 0; at < blocks.length; at += BLOCK) {
    mac = encrypt(
      key,
      mac.map((byte, index) => byte ^ (blocks[at + index] ?? 0)),
    );
  }
  // A.3: counter blocks = flags | nonce | counter; the one with counter 0 hides the tag.
  const stream = (counter: number): Uint8Array => {
    const block = new Uint8Array(BLOCK);
    block[0] = lengthBytes - 1;
    block.set(nonce, 1);
    block[14] = counter >>> 8;
    block[15] = counter;
    return encrypt(key, block);
  };
  const hidden = stream(0);
  const ciphertext = payload.map(
    (byte, index) => byte ^ (stream(1 + Math.floor(index / BLOCK))[index % BLOCK] ?? 0),
  );
  return Uint8Array.from([
    ...ciphertext,
    ...mac.subarray(0, tagBytes).map((byte, index) => byte ^ (hidden[index] ?? 0)),
  ]);
}

/** A datagram of clause 8, put together byte by byte. `key` is the 24 bytes of KEY; `direction` is 0 from the client and 1 from the server. */
export function datagramByHand(options: {
  readonly key: Uint8Array;
  readonly connectionId: Uint8Array;
  readonly direction: number;
  readonly packetNumber: number;
  readonly payload: Uint8Array;
}): Uint8Array {
  const { key, connectionId, direction, packetNumber, payload } = options;
  const header = [0x80 + connectionId.length - 1, ...connectionId, packetNumber >>> 8, packetNumber];
  const number = [packetNumber >>> 24, packetNumber >>> 16, packetNumber >>> 8, packetNumber];
  const sealed = ccm({
    key: key.subarray(0, 16),
    nonce: Uint8Array.from([...key.subarray(16), direction, ...number]),
    associated: Uint8Array.from(header),
    payload,
    tagBytes: 8,
  });
  return Uint8Array.from([...header, ...sealed]);
}

function filled(bytes: ArrayLike<number>): number[] {
  const all = Array.from(bytes);
  return [...all, ...Array.from({ length: (BLOCK - (all.length % BLOCK)) % BLOCK }, () => 0)];
}

function encrypt(key: Uint8Array, block: Uint8Array): Uint8Array<ArrayBuffer> {
  const cipher = createCipheriv('aes-128-ecb', key, null).setAutoPadding(false);
  return new Uint8Array(cipher.update(block));
}
