import { HashikeError } from '../base/errors.ts';

/** Keys and indexes from the root of the configuration. */
export type KeyPath = readonly (string | number)[];

/** One thing that is wrong in a configuration file. Never holds a value of the file that may be a secret. */
export interface Problem {
  /** From 1; undefined where the file as a whole is meant. */
  readonly line?: number | undefined;
  readonly column?: number | undefined;
  readonly path: KeyPath;
  /** What is wrong. */
  readonly wrong: string;
  /** What would be right. */
  readonly right: string;
}

/** Every problem of one configuration file at once. */
export class ConfigError extends HashikeError {
  readonly problems: readonly Problem[];

  constructor(file: string, problems: readonly Problem[]) {
    const count = problems.length === 1 ? 'one error' : `${problems.length} errors`;
    super('HSK-2401', `${formatProblems(file, problems)}\n${file} has ${count}`, {
      file,
      errors: problems.length,
    });
    this.name = 'ConfigError';
    this.problems = problems;
  }
}

/** One line for each problem: `file:line:column: key: what is wrong; what would be right`. */
export function formatProblems(file: string, problems: readonly Problem[]): string {
  return problems.map((problem) => formatProblem(file, problem)).join('\n');
}

export function formatProblem(file: string, { line, column, path, wrong, right }: Problem): string {
  const place = [file, line, column].filter((part) => part !== undefined).join(':');
  const key = path.length === 0 ? '' : `${formatPath(path)}: `;
  return `${place}: ${key}${wrong}; ${right}`;
}

/** `serial[0].baud` */
function formatPath(path: KeyPath): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === 'number') return `${text}[${part}]`;
    return text === '' ? part : `${text}.${part}`;
  }, '');
}
