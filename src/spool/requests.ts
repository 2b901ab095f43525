import type { Failure } from '../base/failure.ts';
import type { SessionMark, StoredSession } from './ports.ts';

/** An encoded record for one consumer. */
export interface RecordToStore {
  readonly consumer: string;
  readonly body: Uint8Array;
}

/** How many records there are and the sum of their encoded lengths. */
export interface Amount {
  readonly messages: number;
  readonly bytes: number;
}

/** One change. The steps of a group are applied in order, in one transaction. */
export type Step =
  | {
      readonly kind: 'append';
      readonly records: readonly RecordToStore[];
      readonly mark?: SessionMark | undefined;
    }
  | {
      readonly kind: 'acknowledge';
      readonly consumer: string;
      readonly seq: number;
      readonly sent?: { readonly sessionId: Uint8Array; readonly messageId: number } | undefined;
    }
  | { readonly kind: 'discard'; readonly consumer: string; readonly seqs: readonly number[] }
  /** Without `body` it is deleted. */
  | { readonly kind: 'retain'; readonly topic: string; readonly body?: Uint8Array | undefined }
  | { readonly kind: 'save-session'; readonly session: StoredSession }
  | { readonly kind: 'forget-session'; readonly sessionId: Uint8Array };

/** Whether a step takes up room on the disk for what somebody publishes: it is refused where the disk is full but for the reserve. */
export function takesRoom(step: Step): boolean {
  return step.kind === 'append' || (step.kind === 'retain' && step.body !== undefined);
}

export interface GroupResult {
  /** What each step removed, in the order of the steps. */
  readonly removed: readonly Amount[];
  /** Why none of the appends of the group was kept while its other steps were. */
  readonly refused?: Failure | undefined;
}

export interface Row {
  readonly seq: number;
  readonly body: Uint8Array;
}

/** Everything the main thread asks of the worker; answers come in the order of the questions. */
export interface Requests {
  readonly open: {
    readonly ask: { readonly path: string; readonly newId: string; readonly reserveBytes: number };
    readonly answer: {
      readonly id: string;
      readonly depths: readonly (Amount & { readonly consumer: string })[];
    };
  };
  readonly commit: {
    /** `at`: epoch ms, noted with every session that the group touches. */
    readonly ask: { readonly steps: readonly Step[]; readonly at: number };
    readonly answer: GroupResult;
  };
  readonly read: {
    /** Stops after the record with which `maxBytes` are reached. */
    readonly ask: {
      readonly consumer: string;
      readonly after: number;
      readonly limit: number;
      readonly maxBytes: number;
    };
    /** `more`: whether the limits, and not the end, stopped it. */
    readonly answer: { readonly rows: readonly Row[]; readonly more: boolean };
  };
  readonly sessions: {
    /** Sessions written before `since` (epoch ms) are deleted first. */
    readonly ask: { readonly since: number };
    readonly answer: { readonly sessions: readonly StoredSession[]; readonly purged: number };
  };
  readonly retained: {
    readonly ask: null;
    readonly answer: readonly { readonly topic: string; readonly body: Uint8Array }[];
  };
  readonly probe: { readonly ask: null; readonly answer: null };
  readonly close: { readonly ask: null; readonly answer: null };
}

export type RequestKind = keyof Requests;

/** A question as it crosses to the worker. */
export type Request = {
  [K in RequestKind]: { readonly kind: K; readonly ask: Requests[K]['ask'] };
}[RequestKind];

export type Reply = { readonly answer: Requests[RequestKind]['answer'] } | { readonly failure: Failure };
