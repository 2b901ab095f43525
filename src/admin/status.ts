import type { Reading } from '../base/counters.ts';

/** A value that JSON can hold. */
export type Json =
  | null
  | boolean
  | number
  | string
  | readonly Json[]
  | { readonly [key: string]: Json | undefined };

/** A link or a bridge. */
export interface PartStatus {
  readonly name: string;
  readonly state: string;
  readonly detail: Json;
}

/** What `hashike status` prints. Times are milliseconds since the epoch, sizes bytes. */
export interface GatewayStatus {
  readonly gateway: string;
  readonly version: string;
  readonly pid: number;
  readonly startedAt: number;
  readonly links: readonly PartStatus[];
  readonly clients: readonly Json[];
  readonly upstream: readonly PartStatus[];
  readonly spool: readonly { readonly consumer: string; readonly messages: number; readonly bytes: number }[];
  readonly counters: readonly Reading[];
}
