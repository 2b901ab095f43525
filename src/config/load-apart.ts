import { type ChildProcess, fork } from 'node:child_process';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describeError, HashikeError } from '../base/errors.ts';
import { type Failure, fromFailure } from '../base/failure.ts';
import type { LoadedConfig } from './load.ts';

/** A file that takes longer, such as a pipe or one on a disk that is gone, is not there. */
const LOAD_TIMEOUT_MS = 30_000;

/** What the process says before it ends. */
export type Answer = { readonly loaded: LoadedConfig } | { readonly failure: Failure };

/**
 * `loadConfig` for a process that lives on. Parser and schema take memory that is needed once, and that neither a module nor a thread gives
 * back for sure: they are loaded by a process of their own, while this one loads something else. Rejects with what `loadConfig` throws, and with
 * HSK-2403 where that process fails, or takes longer than `timeoutMs`.
 */
export function loadConfigApart(file: string, timeoutMs = LOAD_TIMEOUT_MS): Promise<LoadedConfig> {
  return new Promise((resolve, reject) => {
    const loader = start(file, timeoutMs);
    let answer: Answer | undefined;
    loader.on('message', (message) => {
      answer = message as Answer;
    });
    loader.on('error', (error) => reject(failed(describeError(error), error)));
    loader.on('close', (code, signal) => {
      if (answer === undefined) reject(failed(`it ended with ${code ?? signal}`));
      else if ('failure' in answer) reject(fromFailure(answer.failure));
      else resolve(answer.loaded);
    });
  });
}

/** Throws HSK-2403: without the memory for it the process is refused at once, and otherwise it says so later. */
function start(file: string, timeout: number): ChildProcess {
  // It lies beside this file, as source or as built.
  const script = fileURLToPath(new URL(`./load-process${extname(import.meta.url)}`, import.meta.url));
  try {
    return fork(script, [file], {
      // Neither flags for this process nor the keys of its terminal are meant for that one.
      execArgv: [],
      detached: true,
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      // Every value arrives as it is, undefined ones too.
      serialization: 'advanced',
      timeout,
    });
  } catch (error) {
    throw failed(describeError(error), error);
  }
}

function failed(how: string, cause?: unknown): HashikeError {
  return new HashikeError('HSK-2403', `the configuration was not read: ${how}`, {}, cause);
}
