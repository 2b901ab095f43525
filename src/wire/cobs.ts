/** Longest group: a code byte and 254 bytes that are not zero. */
const MAX_GROUP = 0xff;

/** Most bytes that `length` bytes take when stuffed. */
export function maxStuffedLength(length: number): number {
  return length + Math.max(1, Math.ceil(length / (MAX_GROUP - 1)));
}

/**
 * Consistent overhead byte stuffing: the result holds no zero. It is a sequence of groups, each a code byte n and n - 1 bytes;
 * a group stands for these bytes and a zero, except that no zero follows after n = 255 and after the last group.
 */
export function cobsEncode(bytes: Uint8Array): Uint8Array {
  const out = new Uint8Array(maxStuffedLength(bytes.length));
  let codeAt = 0;
  let next = 1;
  for (let at = 0; at < bytes.length; at += 1) {
    const byte = bytes[at] ?? 0;
    if (byte !== 0) {
      out[next] = byte;
      next += 1;
    }
    const full = next - codeAt === MAX_GROUP;
    if (byte === 0 || (full && at < bytes.length - 1)) {
      out[codeAt] = next - codeAt;
      codeAt = next;
      next += 1;
    }
  }
  out[codeAt] = next - codeAt;
  return out.subarray(0, next);
}

/** The reverse of `cobsEncode`, or undefined when `stuffed` is not a whole number of groups or holds a zero. */
export function cobsDecode(stuffed: Uint8Array): Uint8Array | undefined {
  const out = new Uint8Array(stuffed.length);
  let at = 0;
  let next = 0;
  while (at < stuffed.length) {
    const code = stuffed[at] ?? 0;
    const end = at + code;
    if (code === 0 || end > stuffed.length) return undefined;
    for (at += 1; at < end; at += 1) {
      const byte = stuffed[at] ?? 0;
      if (byte === 0) return undefined;
      out[next] = byte;
      next += 1;
    }
    // The zero itself is there already.
    if (code < MAX_GROUP && at < stuffed.length) next += 1;
  }
  return out.subarray(0, next);
}
