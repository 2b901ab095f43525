import {
  find,
  findUint,
  encodeLong,
  make,
  message,
  type LongMessage,
  type Section,
} from '../codec/long-form.ts';
import { toUint } from '../codec/bytes.ts';

/** What a node holds of its session; in flash, so that it survives a reboot that keeps everything. */
export interface Context {
  readonly sessionId: Uint8Array;
  readonly resumeKey: Uint8Array;
  /** Milliseconds, as granted; 0 = none. */
  readonly keepAliveMs: number;
  /** To be added to the node's clock for the server's session clock (3.1.3). */
  readonly sessionClock: number;
}

export interface Introduction {
  readonly token: string;
  readonly name: string;
  readonly keepAliveMs: number;
  readonly aliases: readonly Section[];
}

export function connectToken({ token, name, keepAliveMs, aliases }: Introduction): Uint8Array {
  const sections = [
    make('token', token),
    make('version', [1, 2]),
    make('clientName', name),
    make('keepAlive', [keepAliveMs, 4]),
    ...aliases,
  ];
  return encodeLong({ type: message.connectToken, timestamp: 0, sections });
}

export function connectResume({ sessionId, resumeKey }: Context, received: number): Uint8Array {
  const sections = [
    make('messageId', [received, 4]),
    make('sessionId', sessionId),
    make('resumeKey', resumeKey),
  ];
  return encodeLong({ type: message.connectResume, timestamp: 0, sections });
}

/** The context that a CONNACK_SUCCESS gives. */
export function contextOf(connack: LongMessage, now: number): Context {
  return {
    sessionId: find(connack, 'sessionId') ?? new Uint8Array(8),
    resumeKey: find(connack, 'resumeKey') ?? new Uint8Array(16),
    keepAliveMs: findUint(connack, 'keepAlive') ?? 0,
    sessionClock: connack.timestamp - now,
  };
}

/** The two low bytes of a SESSION_ID, as RESUME carries them (6.5.2). */
export function tailOf({ sessionId }: Context): number {
  return toUint(sessionId.subarray(-2));
}
