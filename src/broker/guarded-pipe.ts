import type { SessionMachine } from '../session/ports.ts';
import { SessionPipe, type SessionPipeOptions } from '../session/pipe.ts';

/** A session may not be detached from within one of its own calls: what its effects want to do to it waits until these are over. */
export class GuardedPipe {
  readonly #pipe: SessionPipe;
  /** Depth of the calls into the session. */
  #depth = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(options: SessionPipeOptions) {
    this.#pipe = new SessionPipe(options);
  }

  get session(): SessionPipe['session'] {
    return this.#pipe.session;
  }

  /** See `SessionPipe.raw`. */
  get raw(): SessionPipe['raw'] {
    return this.#pipe.raw;
  }

  /** Calls the session by way of its pipe. */
  drive<T>(call: (pipe: SessionPipe) => T): T {
    this.#depth += 1;
    try {
      return call(this.#pipe);
    } finally {
      this.#depth -= 1;
      if (this.#depth === 0) for (const action of this.#waiting.splice(0)) action();
    }
  }

  /** Makes the session act now: see `SessionPipe.act`. */
  act<T>(action: (session: SessionMachine, now: number) => T): T {
    return this.drive((pipe) => pipe.act(action));
  }

  /** Runs `action` when no call into the session is under way: now, or right after. */
  afterwards(action: () => void): void {
    if (this.#depth > 0) this.#waiting.push(action);
    else action();
  }
}
