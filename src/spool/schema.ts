import { DatabaseSync, type SQLOutputValue } from 'node:sqlite';

import { HashikeError } from '../base/errors.ts';
import { spoolError } from './failure.ts';

/** Kept in `user_version`; raised with every change of the tables or of what they hold. */
const SCHEMA_VERSION = 2;
/** "HSKS", kept in `application_id`: tells a spool from any other SQLite file. */
const APPLICATION_ID = 0x48_53_4b_53;
/** Pages of the write-ahead log after which it is copied into the file and started over. */
const CHECKPOINT_PAGES = 1000;
/** A log that one big group made longer than this is cut when it starts over. */
const LOG_BYTES = 16 * 1024 * 1024;

/** Since version 2. */
const RETAINED_TABLE =
  'CREATE TABLE retained (topic TEXT NOT NULL PRIMARY KEY, body BLOB NOT NULL) STRICT, WITHOUT ROWID;';

/*
 * Records are clustered by consumer and sequence, so that reading, measuring and deleting the head of one queue touches
 * neighbouring pages and needs no second index. `meta.next_seq` is written with each deletion only; see Store.
 */
const TABLES = `
  CREATE TABLE meta (id TEXT NOT NULL, next_seq INTEGER NOT NULL) STRICT;
  CREATE TABLE consumer (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
  CREATE TABLE record (
    consumer INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (consumer, seq)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE session (
    id BLOB NOT NULL PRIMARY KEY,
    client_id TEXT NOT NULL,
    key_hash BLOB NOT NULL,
    place TEXT,
    received INTEGER NOT NULL,
    sent INTEGER NOT NULL,
    context BLOB NOT NULL,
    updated_at INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  ${RETAINED_TABLE}
`;

/**
 * Opens the database at `path`, which is locked against every other process until it is closed or the process is gone, and
 * makes the tables where it is new. Throws HSK-2201 to HSK-2206.
 */
export function openDatabase(path: string, newId: string): DatabaseSync {
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(path, { timeout: 0 });
    // Before anything is read: the lock is then taken with the first look at the file, and needs no shared memory beside it.
    database.exec('PRAGMA locking_mode = EXCLUSIVE');
    const mode = valueOf(database, 'PRAGMA journal_mode = WAL');
    if (mode !== 'wal')
      throw new HashikeError('HSK-2201', `the disk of ${path} takes no write-ahead log`, {
        mode: String(mode),
      });
    database.exec('PRAGMA synchronous = FULL');
    database.exec(`PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES}`);
    database.exec(`PRAGMA journal_size_limit = ${LOG_BYTES}`);
    prepareTables(database, path, newId);
    return database;
  } catch (error) {
    database?.close();
    throw spoolError(error, `open ${path}`);
  }
}

function prepareTables(database: DatabaseSync, path: string, newId: string): void {
  const version = Number(valueOf(database, 'PRAGMA user_version'));
  const tables = valueOf(database, 'SELECT count(*) FROM sqlite_schema');
  if (version === 0 && tables === 0) {
    database.exec(`BEGIN IMMEDIATE; ${TABLES}
      PRAGMA application_id = ${APPLICATION_ID};
      PRAGMA user_version = ${SCHEMA_VERSION};`);
    database.prepare('INSERT INTO meta (id, next_seq) VALUES (?, 1)').run(newId);
    database.exec('COMMIT');
    return;
  }
  if (valueOf(database, 'PRAGMA application_id') !== APPLICATION_ID) {
    throw new HashikeError('HSK-2204', `${path} is a database, but not a spool`);
  }
  if (version > SCHEMA_VERSION) {
    throw new HashikeError('HSK-2203', `${path} was written by a newer version of the gateway`, {
      found: version,
      supported: SCHEMA_VERSION,
    });
  }
  const verdict = valueOf(database, 'PRAGMA quick_check(1)');
  if (verdict !== 'ok') throw new HashikeError('HSK-2204', `${path} is damaged: ${String(verdict)}`);
  if (version < SCHEMA_VERSION) {
    database.exec(`BEGIN IMMEDIATE; ${RETAINED_TABLE} PRAGMA user_version = ${SCHEMA_VERSION}; COMMIT`);
  }
  // Names come and go with the configuration; those with nothing left are of no use.
  database.exec('DELETE FROM consumer WHERE NOT EXISTS (SELECT 1 FROM record WHERE consumer = number)');
}

/** The only value of the only row. */
function valueOf(database: DatabaseSync, sql: string): SQLOutputValue | undefined {
  return Object.values(database.prepare(sql).get() ?? {})[0];
}
