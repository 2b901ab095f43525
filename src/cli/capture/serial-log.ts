import { parseHex } from '../../base/bytes.ts';
import { HashikeError } from '../../base/errors.ts';

/**
 * The bytes of a serial log. A file of nothing but hex digits and white space is hex, anything else is the bytes themselves: a frame in binary
 * is closed by 0x00, which is no digit. Throws HSK-6002 when a file that began as hex does not go on so.
 */
export async function* serialLogBytes(file: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let isHex: boolean | undefined;
  let half = '';
  for await (const chunk of file) {
    const text = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength).toString('latin1');
    isHex ??= /^[\s0-9a-f]*$/i.test(text);
    if (isHex) {
      const digits = half + text.replaceAll(/\s/g, '');
      const even = digits.length - (digits.length % 2);
      half = digits.slice(even);
      yield bytesOf(digits.slice(0, even));
    } else {
      yield chunk;
    }
  }
  if (half !== '') throw notHex();
}

function bytesOf(digits: string): Uint8Array {
  const bytes = parseHex(digits);
  if (!bytes) throw notHex();
  return bytes;
}

function notHex(): HashikeError {
  return new HashikeError('HSK-6002', 'the log began as hex but does not go on as whole pairs of hex digits');
}
