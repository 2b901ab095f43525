import { type Clock, systemClock } from '../base/clock.ts';
import { type Log, silentLog } from '../base/log.ts';
import { type Random, systemRandom } from '../base/random.ts';
import type { Link } from '../links/link.ts';
import type { PublishBody } from '../wire/message.ts';
import { DEFAULT_KEEP_ALIVE_MS, DEFAULT_RESUME_WINDOW_MS } from '../wire/numbers.ts';
import { publishBody, type Will } from './message-options.ts';
import type { ClientUdpOptions } from './udp.ts';

/** What a client may be told wherever it runs. */
export interface CommonOptions {
  readonly token: string | Uint8Array;
  /** Needed where several clients share the token. */
  readonly clientName?: string;
  /** Published by the server when this client goes away without `close`. */
  readonly will?: Will;
  /** Whether publishes may wait until the upstream has their messages: see `PublishOptions.confirmed`. Default: false. */
  readonly confirm?: boolean;
  readonly keepAliveMs?: number;
  readonly resumeWindowMs?: number;
  /** For one attempt to connect. */
  readonly timeoutMs?: number;
  /** Bytes of publishes that wait for their ACK; more are refused with HSK-3105. */
  readonly sendQueueBytes?: number;
  /** Deliveries that wait for their reader; then the server is held back. */
  readonly receiveQueue?: number;
  readonly clock?: Clock;
  readonly random?: Random;
  readonly log?: Log;
  /** Makes the connection; default: as `url` says. Rejects with HSK-2103 … HSK-2106. */
  readonly dial?: () => Promise<Link>;
}

/** Everything that a client needs to know. */
export interface Settings
  extends
    Required<Omit<CommonOptions, 'clientName' | 'will' | 'token'>>,
    Pick<CommonOptions, 'clientName'>,
    ClientUdpOptions {
  readonly token: Uint8Array;
  readonly will: PublishBody | undefined;
}

type Surroundings = Pick<Settings, 'clock' | 'random' | 'log' | 'timeoutMs'>;

/** How links are made where the client runs. */
export interface Platform {
  /** Gives what connects. Throws HSK-3106 when the address is none. */
  dialer(surroundings: Surroundings): Settings['dial'];
  openUdp?(surroundings: Surroundings): Settings['openUdp'];
}

/** The options with their defaults. Throws HSK-3106 when the address is none, and HSK-1201 when the topic of the will is. */
export function settingsOn(platform: Platform, options: CommonOptions): Settings {
  const { clock = systemClock, random = systemRandom, log = silentLog, timeoutMs = 10_000 } = options;
  const { will } = options;
  const surroundings = { clock, random, log, timeoutMs };
  return {
    confirm: false,
    keepAliveMs: DEFAULT_KEEP_ALIVE_MS,
    resumeWindowMs: DEFAULT_RESUME_WINDOW_MS,
    sendQueueBytes: 1_048_576,
    receiveQueue: 256,
    dial: options.dial ?? platform.dialer(surroundings),
    openUdp: platform.openUdp?.(surroundings),
    ...options,
    ...surroundings,
    will: will && publishBody(will.topic, will.content, will),
    token: typeof options.token === 'string' ? new TextEncoder().encode(options.token) : options.token,
  };
}
