import { describe, expect, test } from 'vitest';

import { HashikeError } from '../../../src/base/errors.ts';
import { spoolError } from '../../../src/spool/failure.ts';

function sqliteError(errcode: number): Error {
  return Object.assign(new Error('from SQLite'), { code: 'ERR_SQLITE_ERROR', errcode });
}

describe('an error of the spool', () => {
  test.each([
    ['SQLITE_BUSY', 5, 'HSK-2202'],
    ['SQLITE_READONLY_DBMOVED', 1032, 'HSK-2206'],
    ['SQLITE_IOERR_WRITE', 778, 'HSK-2206'],
    ['SQLITE_IOERR_FSYNC', 1034, 'HSK-2206'],
    ['SQLITE_CORRUPT_INDEX', 779, 'HSK-2204'],
    ['SQLITE_FULL', 13, 'HSK-2205'],
    ['SQLITE_CANTOPEN', 14, 'HSK-2201'],
    ['SQLITE_NOTADB', 26, 'HSK-2204'],
    ['SQLITE_CONSTRAINT', 19, 'HSK-1001'],
  ])('%s (%d) is %s', (_name, errcode, code) => {
    expect(spoolError(sqliteError(errcode), 'write')).toMatchObject({ code, context: { result: errcode } });
  });

  test('that another gateway holds the lock says so first', () => {
    const { message } = spoolError(sqliteError(5), 'open its database');
    expect(message).toMatch(/^another gateway uses this state directory/);
  });

  test('that the operating system gave is one of the disk', () => {
    const refused = Object.assign(new Error('statfs'), { code: 'EIO', syscall: 'statfs' });
    expect(spoolError(refused, 'write')).toMatchObject({ code: 'HSK-2206', cause: refused });
  });

  test('that nobody foresaw is a bug, and one that is coded already stays what it is', () => {
    expect(spoolError('oops', 'write')).toMatchObject({ code: 'HSK-1001' });
    const coded = new HashikeError('HSK-2209', 'rotten');
    expect(spoolError(coded, 'read')).toBe(coded);
  });
});
