import { describeError, HashikeError } from './errors.ts';

type Step = () => void | Promise<void>;

/** Steps to undo what was done, run in reverse; every step runs, and the errors are gathered. */
export class Teardown {
  readonly #steps: [string, Step][] = [];

  add(name: string, step: Step): void {
    this.#steps.push([name, step]);
  }

  /** Runs the steps, last added first. Throws HSK-1002 with all errors as its cause when any failed. */
  async run(): Promise<void> {
    const errors: unknown[] = [];
    const names: string[] = [];
    for (const [name, step] of this.#steps.splice(0).toReversed()) {
      try {
        await step();
      } catch (error) {
        errors.push(error);
        names.push(`${name}: ${describeError(error)}`);
      }
    }
    if (errors.length > 0) {
      throw new HashikeError(
        'HSK-1002',
        `could not stop cleanly: ${names.join('; ')}`,
        {},
        new AggregateError(errors),
      );
    }
  }
}
