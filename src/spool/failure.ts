import { describeError, HashikeError, type ErrorCode } from '../base/errors.ts';

/** Primary result codes of SQLite, the low byte of an extended one (https://sqlite.org/rescode.html). */
const codeOfResult: Readonly<Record<number, ErrorCode>> = {
  3: 'HSK-2201', // PERM
  5: 'HSK-2202', // BUSY
  8: 'HSK-2206', // READONLY
  10: 'HSK-2206', // IOERR
  11: 'HSK-2204', // CORRUPT
  13: 'HSK-2205', // FULL
  14: 'HSK-2201', // CANTOPEN
  26: 'HSK-2204', // NOTADB
};

/** What was thrown while the spool worked, as a coded error. What nobody foresaw is a bug of ours: HSK-1001. */
export function spoolError(thrown: unknown, doing: string): HashikeError {
  if (thrown instanceof HashikeError) return thrown;
  const detail = `the spool could not ${doing}: ${describeError(thrown)}`;
  if (thrown instanceof Error && 'errcode' in thrown) {
    const result = Number(thrown.errcode);
    const code = codeOfResult[result & 0xff] ?? 'HSK-1001';
    // The lock is held for as long as a gateway runs: nothing else makes SQLite say BUSY.
    const text = code === 'HSK-2202' ? `another gateway uses this state directory: ${detail}` : detail;
    return new HashikeError(code, text, { result }, thrown);
  }
  // What the operating system refused outside of SQLite.
  const refused = thrown instanceof Error && 'syscall' in thrown;
  return new HashikeError(refused ? 'HSK-2206' : 'HSK-1001', detail, {}, thrown);
}
