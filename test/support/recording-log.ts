import type { Log, LogFields } from '../../src/base/log.ts';

type Level = 'debug' | 'info' | 'warn' | 'error';

interface Line {
  readonly level: Level;
  readonly fields: LogFields;
  readonly text: string;
}

/** Keeps every line, those of its children too, with the fields of all its ancestors. */
export class RecordingLog implements Log {
  readonly lines: Line[];
  readonly #inherited: LogFields;

  constructor(lines: Line[] = [], inherited: LogFields = {}) {
    this.lines = lines;
    this.#inherited = inherited;
  }

  debug = (fields: LogFields, text: string): void => this.#add('debug', fields, text);
  info = (fields: LogFields, text: string): void => this.#add('info', fields, text);
  warn = (fields: LogFields, text: string): void => this.#add('warn', fields, text);
  error = (fields: LogFields, text: string): void => this.#add('error', fields, text);

  child(fields: LogFields): Log {
    return new RecordingLog(this.lines, { ...this.#inherited, ...fields });
  }

  /** The texts of one level, in order. */
  texts(level: Level): readonly string[] {
    return this.lines.filter((line) => line.level === level).map(({ text }) => text);
  }

  #add(level: Level, fields: LogFields, text: string): void {
    this.lines.push({ level, fields: { ...this.#inherited, ...fields }, text });
  }
}
