import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';

import { describeError, HashikeError } from '../base/errors.ts';
import { fromFailure } from '../base/failure.ts';
import type { Reply, RequestKind, Requests } from './requests.ts';

interface Pending {
  resolve(answer: Requests[RequestKind]['answer']): void;
  reject(error: HashikeError): void;
}

/** The main thread's end of the line to the worker. Once the worker is gone every question rejects with HSK-2208. */
export class WorkerLink {
  readonly #worker: Worker;
  readonly #pending: Pending[] = [];
  #cause: unknown;
  #gone: HashikeError | undefined;

  constructor() {
    // The worker lies beside this file, as source or as built; flags meant for the main script are none of its business.
    const file = new URL(`./worker${extname(import.meta.url)}`, import.meta.url);
    this.#worker = new Worker(file, { execArgv: [] });
    this.#worker.on('message', (reply: Reply) => this.#settle(reply));
    this.#worker.on('error', (error) => {
      this.#cause = error;
    });
    this.#worker.on('exit', () => this.#leave());
  }

  /** Puts one question; answers come in the order of the questions. Rejects with what the worker threw. */
  ask<K extends RequestKind>(kind: K, ask: Requests[K]['ask']): Promise<Requests[K]['answer']> {
    if (this.#gone) return Promise.reject(this.#gone);
    return new Promise((resolve, reject) => {
      this.#pending.push({ resolve, reject });
      this.#worker.postMessage({ kind, ask });
    });
  }

  /** Ends the worker at once; what it was asked and has not answered rejects. */
  async stop(): Promise<void> {
    await this.#worker.terminate();
  }

  #settle(reply: Reply): void {
    const pending = this.#pending.shift();
    if ('failure' in reply) pending?.reject(fromFailure(reply.failure));
    else pending?.resolve(reply.answer);
  }

  #leave(): void {
    const why = this.#cause === undefined ? '' : `: ${describeError(this.#cause)}`;
    this.#gone = new HashikeError('HSK-2208', `the thread of the spool has ended${why}`, {}, this.#cause);
    for (const pending of this.#pending.splice(0)) pending.reject(this.#gone);
  }
}
