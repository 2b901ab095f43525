import type { Clock } from '../../src/base/clock.ts';
import type { HashikeError } from '../../src/base/errors.ts';
import { Alarms } from '../../src/session/alarms.ts';
import { SessionPipe } from '../../src/session/pipe.ts';
import type { Age, Inbound, Outgoing, SessionOptions } from '../../src/session/ports.ts';
import { encodeContent } from '../../src/wire/content.ts';
import type { AliasEntry } from '../../src/wire/message.ts';
import { MessageType } from '../../src/wire/numbers.ts';
import { ModelLink, type Medium } from './model-link.ts';
import type { VirtualClock } from './virtual-clock.ts';

export const sessionId = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);
/** Alias 1 stands for the topic `t`, with any content. */
export const alias: AliasEntry = { aliasId: 1, topic: 't', layout: [] };

export interface Received {
  readonly message: Inbound;
  readonly age: Age;
  readonly at: number;
}

export interface SideOptions {
  readonly clock: Clock;
  readonly side: 'server' | 'client';
  readonly session?: Partial<Omit<SessionOptions, 'limits'>>;
  readonly limits?: Partial<SessionOptions['limits']>;
  /** Milliseconds until a message is settled; 0: within `receive`. */
  readonly settleAfter?: () => number;
}

/** One side of a session: settles what it receives and notes everything. */
export class Side {
  readonly pipe: SessionPipe;
  readonly received: Received[] = [];
  readonly drops = new Map<string, number>();
  readonly violations: HashikeError[] = [];
  readonly acknowledgements: { readonly messageId: number; readonly tag: number | undefined }[] = [];
  readonly events: string[] = [];
  readonly #clock: Clock;
  #link: ModelLink | undefined;
  #alive = true;

  constructor({ clock, side, session, limits, settleAfter = () => 0 }: SideOptions) {
    this.#clock = clock;
    this.pipe = new SessionPipe({
      alarms: new Alarms(clock),
      session: {
        side,
        sessionId,
        keepAliveMs: 0,
        epoch: 0,
        aliases: [alias],
        received: 0,
        sent: 0,
        restored: false,
        ...session,
        limits: { sendQueueBytes: 1_000_000, unsettledMessages: 256, reorderMessages: 127, ...limits },
      },
      effects: {
        dropped: (reason) => this.drops.set(reason, (this.drops.get(reason) ?? 0) + 1),
        receive: (message, age) => this.#receive(message, age, settleAfter()),
        acknowledged: (messageId, tag) => this.acknowledgements.push({ messageId, tag }),
        confirmed: (messageId) => this.events.push(`confirmed ${messageId}`),
        violated: (error) => this.violations.push(error),
        stateLost: ({ context }) =>
          this.events.push(`state lost: ${String(context['claimed'])} of ${String(context['acknowledged'])}`),
        silent: () => this.events.push('silent'),
        heard: () => this.events.push('heard'),
        reset: () => this.events.push('reset'),
      },
    });
  }

  get link(): ModelLink | undefined {
    return this.#link;
  }

  /** @param peerReceived undefined: the peer has yet to say. */
  attach(link: ModelLink, peerReceived: number | undefined): void {
    this.#link = link;
    link.start({
      frame: (bytes) => this.pipe.frame(bytes),
      drained: () => this.pipe.drained(),
      closed: () => {
        this.#link = undefined;
        this.pipe.detach();
      },
    });
    this.pipe.attach(link, peerReceived);
  }

  resume(): void {
    this.pipe.act((session, now) => session.sendResume(now));
  }

  send(message: Outgoing, tag?: number): number | undefined {
    return this.pipe.act((session, now) => session.sendReliable(message, now, tag));
  }

  /** As a process that dies: nothing that was planned happens any more. */
  kill(): void {
    this.#alive = false;
  }

  #receive(message: Inbound, age: Age, delay: number): void {
    this.received.push({ message, age, at: this.#clock.now() });
    const messageId =
      'messageId' in message && message.type !== MessageType.REJECTED ? message.messageId : undefined;
    if (messageId === undefined) return;
    const settle = (): void => {
      if (this.#alive) this.pipe.act((session, now) => session.settle(messageId, now));
    };
    if (delay === 0) settle();
    else this.#clock.after(delay, settle);
  }
}

export type Joining = 'handshake' | 'slow-handshake' | 'resume' | 'resume-by-first' | 'resume-by-second';

/**
 * Joins two sides by a fresh link: with both numbers known, as after a handshake, else by RESUME of one or both. What is settled while a slow handshake goes on is not in
 * its numbers.
 */
export function join(clock: VirtualClock, medium: Medium, first: Side, second: Side, how: Joining): void {
  const [a, b] = ModelLink.pair(clock, medium);
  const settled = [first.pipe.session.settled, second.pipe.session.settled] as const;
  if (how === 'slow-handshake') clock.advance(200);
  const known = how === 'handshake' || how === 'slow-handshake';
  first.attach(a, known ? settled[1] : undefined);
  second.attach(b, known ? settled[0] : undefined);
  if (how === 'resume' || how === 'resume-by-first') first.resume();
  if (how === 'resume' || how === 'resume-by-second') second.resume();
}

/** A PUBLISH on topic `t` whose content is the number `value` and padding up to `bytes`. */
export function reading(value: number, bytes = 4): Extract<Outgoing, { readonly content: Uint8Array }> {
  const content = new Uint8Array(bytes);
  new DataView(content.buffer).setUint32(0, value);
  return {
    type: MessageType.PUBLISH,
    topic: 't',
    retain: false,
    content: encodeContent([{ contentType: 0x8000, value: content }]),
  };
}

/** The numbers in what was received, in order; `reliable` says which. */
export function values(received: readonly Received[], reliable: boolean): number[] {
  const all: number[] = [];
  for (const { message } of received) {
    if (message.type === 'BATCH') {
      if (reliable) for (const { content } of message.readings) all.push(valueOf(content));
    } else if (message.type === MessageType.PUBLISH && (message.messageId !== undefined) === reliable) {
      all.push(valueOf(message.content));
    }
  }
  return all;
}

function valueOf(content: Uint8Array): number {
  return new DataView(content.buffer, content.byteOffset, content.byteLength).getUint32(4);
}
