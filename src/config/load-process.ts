import { HashikeError, invariant } from '../base/errors.ts';
import { toFailure } from '../base/failure.ts';
import type { Answer } from './load-apart.ts';
import { loadConfig } from './load.ts';

/* The process of one `loadConfig`. It ends by itself, and what it loaded with it. */

function answer(file: string): Answer {
  try {
    return { loaded: loadConfig(file) };
  } catch (error) {
    if (!(error instanceof HashikeError)) throw error;
    return { failure: toFailure(error) };
  }
}

const [, , file] = process.argv;
invariant(file !== undefined && process.send !== undefined, 'this file runs as a child of the gateway only');
// Who asked may be gone by now: then there is nobody to tell anything.
process.send(answer(file), undefined, undefined, () => undefined);
