/** Whose fault it is: ours, the caller's (a user or the configuration), the peer's bytes, or the environment. */
export type Fault = 'bug' | 'caller' | 'peer' | 'environment';

interface ErrorKind {
  readonly fault: Fault;
  readonly meaning: string;
  /** What the reader can do about it. */
  readonly cure: string;
}

/**
 * Every error the gateway can state, banded by layer: 10xx base, 11xx wire, 12xx topic, 20xx session, 21xx links, 22xx spool,
 * 23xx profiles, 24xx config, 30xx broker, 31xx client, 40xx inlets, 41xx bridges, 42xx admin, 50xx gateway, 60xx cli.
 * `docs/errors.md` is compared with this table by a test.
 */
export const errorTable = {
  'HSK-1001': {
    fault: 'bug',
    meaning: 'an internal invariant does not hold',
    cure: 'report it with the log; the gateway restarts by itself under systemd',
  },
  'HSK-1002': {
    fault: 'environment',
    meaning: 'several steps of a shutdown failed',
    cure: 'see the causes listed with it',
  },
  'HSK-1101': {
    fault: 'peer',
    meaning: 'a message, section or frame is cut short',
    cure: 'the sender announces more bytes than it sends; see docs/protocol.md for the layout',
  },
  'HSK-1102': {
    fault: 'peer',
    meaning: 'a message, section or frame does not follow the specification',
    cure: 'compare the bytes with docs/protocol.md; `hashike decode` prints their fields',
  },
  'HSK-1103': {
    fault: 'peer',
    meaning: 'a message, section or frame is longer than the limit',
    cure: 'send less at once or raise the named limit',
  },
  'HSK-1104': {
    fault: 'peer',
    meaning: 'an alias was used that nobody declared',
    cure: 'declare it with ALIAS_ENTRY in CONNECT, with ALIAS, or in the client profile of the configuration',
  },
  'HSK-1105': {
    fault: 'caller',
    meaning: 'a message cannot be encoded: a field is out of range',
    cure: 'keep the field within the range that docs/protocol.md gives',
  },
} as const satisfies Readonly<Record<string, ErrorKind>>;

export type ErrorCode = keyof typeof errorTable;

/** Small facts that go with an error: names, numbers, never secrets. */
export type ErrorContext = Readonly<Record<string, string | number | boolean | undefined>>;

/** The only error the gateway throws on purpose: coded, with its cause and context. */
export class HashikeError extends Error {
  readonly code: ErrorCode;
  readonly context: ErrorContext;

  /** @param detail what exactly went wrong, in a sentence for people, without the code. */
  constructor(code: ErrorCode, detail: string, context: ErrorContext = {}, cause?: unknown) {
    super(`${detail} [${code}]`, cause === undefined ? undefined : { cause });
    this.name = 'HashikeError';
    this.code = code;
    this.context = context;
  }

  get fault(): Fault {
    return errorTable[this.code].fault;
  }

  /** What the reader can do about it. */
  get cure(): string {
    return errorTable[this.code].cure;
  }
}

/** The text of anything that was thrown. */
export function describeError(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

/** Fails with HSK-1001 unless `condition` holds. */
export function invariant(condition: boolean, what: string): asserts condition {
  if (!condition) throw new HashikeError('HSK-1001', what);
}
