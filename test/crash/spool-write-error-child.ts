import { execFileSync } from 'node:child_process';

import { HashikeError } from '../../src/base/errors.ts';
import { openSpool } from '../../src/spool/spool.ts';
import { publicationOf } from '../support/publications.ts';
import { readAll, spoolOptions } from '../support/temp-spool.ts';

/*
 * Started under a soft limit of the file size, so that writes beyond it fail with EFBIG, an I/O error to SQLite. Appends until that
 * happens, and once more; lifts the limit, and goes on. Prints what was seen as JSON.
 */
const spool = await openSpool(spoolOptions(process.argv[2] ?? '', { limits: { reserveBytes: 0 } }));

async function append(number: number): Promise<string> {
  const publication = publicationOf(number, { content: new Uint8Array(4000) });
  try {
    await spool.append([{ consumer: 'cloud', publication }]);
    return 'kept';
  } catch (error) {
    return error instanceof HashikeError ? error.code : String(error);
  }
}

let kept = 0;
let outcome = await append(1);
while (outcome === 'kept') {
  kept += 1;
  outcome = await append(kept + 1);
}
const codes = [outcome, await append(kept + 1)];
execFileSync('prlimit', ['--pid', String(process.pid), '--fsize=unlimited:unlimited']);
const again = await append(kept + 1);
const ids = (await readAll(spool.consumer('cloud'))).map(({ publication }) => publication.origin.messageId);
const complete = ids.length === kept + 1 && ids.every((id, index) => id === index + 1);
await spool.close();
console.log(JSON.stringify({ codes, complete, again }));
