import type { Reading } from '../base/counters.ts';

/** A value that JSON can hold. */
export type Json =
  | null
  | boolean
  | number
  | string
  | readonly Json[]
  | { readonly [key: string]: Json | undefined };

/** What `hashike status` prints. Times are milliseconds since the epoch, sizes bytes. */
export interface GatewayStatus {
  readonly gateway: string;
  readonly version: string;
  readonly pid: number;
  readonly startedAt: number;
  readonly links: readonly { readonly name: string; readonly state: string; readonly detail: Json }[];
  readonly clients: readonly Json[];
  readonly upstream: readonly { readonly name: string; readonly state: string; readonly detail: Json }[];
  readonly spool: readonly { readonly consumer: string; readonly messages: number; readonly bytes: number }[];
  readonly counters: readonly Reading[];
}
