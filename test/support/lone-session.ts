import type {
  Age,
  Inbound,
  SessionEffects,
  SessionMachine,
  SessionOptions,
  Transport,
} from '../../src/session/ports.ts';
import type { HashikeError } from '../../src/base/errors.ts';
import { createSession } from '../../src/session/session.ts';
import { decodeMessage } from '../../src/wire/long-form.ts';
import type { Message } from '../../src/wire/message.ts';
import { decodeShort, encodeShort, isShortForm, type ShortFrame } from '../../src/wire/short-form.ts';
import { alias, sessionId } from './session-pair.ts';

export const tcp: Transport = { reliable: true, shortForm: false, mtu: 65_540 };
export const wire: Transport = { reliable: false, shortForm: true, mtu: 1024, bitRate: 9600 };

export interface LoneSession {
  readonly machine: SessionMachine;
  /** Frames that were sent and not yet taken. */
  readonly frames: Uint8Array[];
  readonly received: { readonly message: Inbound; readonly age: Age }[];
  /** Everything else that it did, in words. */
  readonly events: string[];
  readonly violations: HashikeError[];
  /** Whether `transmit` answers that there is room. */
  room: boolean;
  /** Takes the frames that were sent, decoded. */
  readonly take: () => (Message | ShortFrame)[];
  /** Hands it a frame of the short form. */
  readonly hear: (frame: ShortFrame, now: number) => void;
  /** Ticks whenever it wants to be, up to `until`; a machine that never rests fails. */
  readonly tickUntil: (until: number) => void;
}

/** A machine without a peer, to be prodded by hand. */
export function loneSession(
  options: Partial<Omit<SessionOptions, 'limits'>> & {
    readonly limits?: Partial<SessionOptions['limits']>;
  } & Pick<SessionEffects, 'transmitBeside'> = {},
): LoneSession {
  const frames: Uint8Array[] = [];
  const received: LoneSession['received'] = [];
  const events: string[] = [];
  const violations: HashikeError[] = [];
  const machine = createSession(
    {
      side: 'server',
      sessionId,
      keepAliveMs: 0,
      epoch: 0,
      aliases: [alias],
      received: 0,
      sent: 0,
      restored: false,
      ...options,
      limits: { sendQueueBytes: 10_000, unsettledMessages: 256, reorderMessages: 32, ...options.limits },
    },
    {
      dropped: (reason) => events.push(`dropped ${reason}`),
      receive: (message, age) => received.push({ message, age }),
      acknowledged: (messageId, tag) => events.push(`acknowledged ${messageId} tag ${tag ?? '-'}`),
      confirmed: (messageId) => events.push(`confirmed ${messageId}`),
      violated: (error) => violations.push(error),
      stateLost: ({ context }) =>
        events.push(`state lost: ${String(context['claimed'])} of ${String(context['acknowledged'])}`),
      silent: () => events.push('silent'),
      heard: () => events.push('heard'),
      reset: () => events.push('reset'),
      ...(options.transmitBeside && { transmitBeside: options.transmitBeside }),
    },
    {
      transmit: (frame) => {
        frames.push(frame);
        return lone.room;
      },
      relay: (publish, timestamp) => {
        frames.push(publish.delivery(timestamp, undefined));
        return lone.room;
      },
      hold: (held) => events.push(held ? 'hold' : 'release'),
    },
  );
  const lone: LoneSession = {
    machine,
    frames,
    received,
    events,
    violations,
    room: true,
    take: () =>
      frames
        .splice(0)
        .map((frame) => (isShortForm(frame[0] ?? 0) ? decodeShort(frame) : decodeMessage(frame))),
    hear: (frame, now) => machine.frame(encodeShort(frame), now),
    tickUntil: (until) => {
      let ticks = 0;
      for (let at = machine.deadline; at !== undefined && at <= until; at = machine.deadline) {
        ticks += 1;
        if (ticks > 10_000) throw new Error('the session never rests');
        machine.tick(Math.max(at, 0));
      }
    },
  };
  return lone;
}
