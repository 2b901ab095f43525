import { closeSync, fsyncSync, mkdirSync, openSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { describeError, HashikeError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';

/**
 * Makes `directory` (0700) and in it an empty database file (0600; SQLite gives its log the same mode) where they are missing,
 * and returns the path of the file. Throws HSK-2201.
 */
export function prepareDirectory(directory: string, log: Log): string {
  const path = join(directory, 'spool.db');
  try {
    const made = mkdirSync(directory, { recursive: true, mode: 0o700 });
    if (made !== undefined) syncParents(directory, made);
    else if ((statSync(directory).mode & 0o077) !== 0) {
      log.warn({ directory }, 'other users may enter the directory of the spool: chmod 0700 it');
    }
    createFile(path);
    return path;
  } catch (error) {
    throw new HashikeError(
      'HSK-2201',
      `the spool could not be prepared: ${describeError(error)}`,
      { directory },
      error,
    );
  }
}

/**
 * An existing file is not opened here: closing it again would drop the locks that another spool of this very process holds on
 * it, as POSIX has it.
 */
function createFile(path: string): void {
  if (statSync(path, { throwIfNoEntry: false })) return;
  closeSync(openSync(path, 'wx', 0o600));
}

/** The entry of a new directory is durable once the directory above it is synced; SQLite does so for its files only. */
function syncParents(directory: string, topmost: string): void {
  for (let child = directory; child.length >= topmost.length; child = dirname(child)) {
    const parent = openSync(dirname(child), 'r');
    try {
      fsyncSync(parent);
    } finally {
      closeSync(parent);
    }
  }
}
