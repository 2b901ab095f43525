import { Fifo } from '../base/fifo.ts';
import { HashikeError } from '../base/errors.ts';
import type { PublishView } from '../wire/publish-view.ts';
import type { Answers } from './answers.ts';
import type { Dialect } from './dialect.ts';
import { earliest } from './earliest.ts';
import { fragment, mostBytesInFragments } from './fragments.ts';
import type { KeepAlive } from './keep-alive.ts';
import { Line } from './line.ts';
import { Outbound, type Entry } from './outbound.ts';
import type { BestEffort, SessionEffects, SessionOptions, SessionOutlet, Transport } from './ports.ts';
import { Window } from './window.ts';

/** Best-effort readings have no way to say that they grew old, so what the line can't drain in this time is dropped (clause 6.1.6). */
const MAX_BEST_EFFORT_WAIT_MS = 1000;
/** Answers that would come later than this are of no use, and would keep others waiting. */
const MAX_CONTROL_WAIT_MS = 10_000;

/** Where a sender puts what it sends, and who it is for. */
export interface SenderSurroundings {
  readonly dialect: Dialect;
  readonly answers: Answers;
  readonly keepAlive: KeepAlive;
  readonly outlet: SessionOutlet;
  readonly effects: Pick<SessionEffects, 'dropped' | 'violated'>;
}

/**
 * Everything that is sent: short answers before all else, control messages, reliable ones as the window lets them, best-effort ones between them. Never puts more on the line
 * than it drains in a moment, so that an ACK need not wait.
 */
export class Sender {
  readonly window: Window;
  readonly #dialect: Dialect;
  readonly #answers: Answers;
  readonly #keepAlive: KeepAlive;
  readonly #outlet: SessionOutlet;
  readonly #effects: SenderSurroundings['effects'];
  readonly #sendQueueBytes: number;
  #transport: Transport | undefined;
  #line = Line.of(undefined);
  /** The link's queue is over its high-water mark. */
  #blocked = false;
  #stopped = false;
  /** Frames of a message that was cut, where the link needs that. */
  #fragments: Fifo<Uint8Array> | undefined;
  #fragmented = 0;
  /** Control and best-effort messages that wait for the line. */
  readonly #waiting = new Fifo<Uint8Array>();
  #waitingBytes = 0;
  #reliableHasTurn = true;

  constructor(
    { sent, restored, limits }: Pick<SessionOptions, 'sent' | 'restored' | 'limits'>,
    { dialect, answers, keepAlive, outlet, effects }: SenderSurroundings,
  ) {
    this.#dialect = dialect;
    this.#answers = answers;
    this.#keepAlive = keepAlive;
    this.#outlet = outlet;
    this.#effects = effects;
    this.#sendQueueBytes = limits.sendQueueBytes;
    this.window = new Window(new Outbound({ sent, restored, maxBytes: limits.sendQueueBytes }));
  }

  get outbound(): Outbound {
    return this.window.outbound;
  }

  get line(): Line {
    return this.#line;
  }

  /** @param held the peer has yet to say what it has. */
  attach(transport: Transport, held: boolean): void {
    this.#transport = transport;
    this.#line = Line.of(transport.bitRate);
    this.#blocked = false;
    this.#stopped = false;
    this.window.attach(transport, held);
  }

  detach(): void {
    this.#transport = undefined;
    for (let waiting = this.#waiting.length; waiting > 0; waiting -= 1) this.#effects.dropped('link-lost');
    this.#waiting.clear();
    this.#fragments = undefined;
    this.#waitingBytes = 0;
    this.window.detach();
  }

  /** Sends no more on this link. */
  stop(): void {
    this.#stopped = true;
  }

  /** Whether the present link can carry a frame of `length` bytes. */
  carries(length: number): boolean {
    if (!this.#transport) return true;
    const { mtu, shortForm } = this.#transport;
    return length <= mtu || (shortForm && length <= mostBytesInFragments(mtu));
  }

  /** Queues a control message. False, and counted, when it can't be carried or too much waits. */
  control(frame: Uint8Array, now: number): boolean {
    const carried = this.carries(frame.length);
    if (!carried || !this.#hasRoom(frame.length, this.#sendQueueBytes, MAX_CONTROL_WAIT_MS, now)) {
      this.#effects.dropped(carried ? 'send-queue-full' : 'too-long');
      return false;
    }
    this.#enqueue(frame, now);
    return true;
  }

  /** Queues a best-effort message. One that can't be carried is counted; one that finds the queue full is its owner's. */
  bestEffort(frame: Uint8Array, now: number): BestEffort {
    if (!this.carries(frame.length)) {
      this.#effects.dropped('too-long');
      return 'dropped';
    }
    const room = this.#sendQueueBytes - this.outbound.bytes;
    if (!this.#hasRoom(frame.length, room, MAX_BEST_EFFORT_WAIT_MS, now)) return 'full';
    this.#enqueue(frame, now);
    return 'sent';
  }

  /** Whether a frame of `length` bytes would go out at once, before everything else, as it is. */
  isFree(length: number): boolean {
    const transport = this.#transport;
    return (
      transport !== undefined &&
      transport.reliable &&
      !transport.shortForm &&
      length <= transport.mtu &&
      !this.#blocked &&
      !this.window.held &&
      !this.#stopped &&
      this.#waiting.length === 0 &&
      this.outbound.unsent === undefined
    );
  }

  /** Sends a best-effort message for which the way `isFree`. */
  relay(publish: PublishView, timestamp: number, now: number): void {
    if (!this.#outlet.relay(publish, timestamp)) this.#blocked = true;
    this.#keepAlive.sent(now);
  }

  /** Sends a last frame past all queues. */
  last(frame: Uint8Array, now: number): void {
    this.#fragments?.clear();
    let next = this.#cut(frame)?.first;
    if (!next) this.#effects.dropped('too-long');
    for (; next; next = this.#fragments?.shift()) this.#put(next, now);
  }

  drained(): void {
    this.#blocked = false;
  }

  tick(now: number): void {
    if (!this.#blocked) this.window.tick(now);
  }

  /** When something is to be done. */
  deadline(owedAt: number | undefined): number | undefined {
    if (!this.#transport || this.#blocked || this.#stopped) return undefined;
    const readyAt = this.#line.readyAt;
    const works =
      this.#waiting.length > 0 ||
      (this.#fragments?.length ?? 0) > 0 ||
      this.window.next(this.#line) !== undefined;
    return earliest(
      owedAt === undefined ? undefined : Math.max(owedAt, readyAt),
      works ? readyAt : undefined,
      this.window.deadline,
    );
  }

  /** Sends what may be sent. */
  pump(now: number): void {
    while (this.#ready(now)) {
      const frame = this.#next(now);
      if (!frame) break;
      this.#put(frame, now);
    }
    this.window.probe(now);
  }

  #ready(now: number): boolean {
    return this.#transport !== undefined && !this.#blocked && !this.#stopped && this.#line.readyAt <= now;
  }

  #put(frame: Uint8Array, now: number): void {
    this.#line.put(Line.bytes(frame.length), now);
    if (!this.#outlet.transmit(frame)) this.#blocked = true;
    this.#keepAlive.sent(now);
  }

  #hasRoom(length: number, room: number, maxWaitMs: number, now: number): boolean {
    const waits = this.#waiting.length > 0 || !this.#ready(now);
    return !waits || this.#waitingBytes + length <= Math.min(room, this.#line.drains(maxWaitMs));
  }

  #enqueue(frame: Uint8Array, now: number): void {
    this.#waiting.push(frame);
    this.#waitingBytes += frame.length;
    this.pump(now);
  }

  #next(now: number): Uint8Array | undefined {
    const first = this.#answers.next(now, this) ?? this.#fragments?.shift();
    if (first) return first;
    // Turn by turn, so that neither starves the other.
    const entry = this.window.next(this.#line);
    if (entry && (this.#reliableHasTurn || this.#waiting.length === 0)) {
      this.#reliableHasTurn = false;
      return this.#takeEntry(entry, now);
    }
    this.#reliableHasTurn = true;
    const frame = this.#waiting.shift();
    if (!frame) return undefined;
    this.#waitingBytes -= frame.length;
    return this.#cut(frame)?.first;
  }

  #takeEntry(entry: Entry, now: number): Uint8Array | undefined {
    if (entry.leftAt === 0 && (entry.expiresAt ?? Infinity) <= now) this.#effects.dropped('expired');
    const cut = this.#cut(this.#dialect.encodeEntry(entry, now));
    if (!cut) {
      this.#stopped = true;
      this.#effects.violated(
        new HashikeError('HSK-2005', 'a message is longer than the link can carry', {
          messageId: entry.messageId,
          length: entry.frame.length,
          mtu: this.#transport?.mtu,
        }),
      );
      return undefined;
    }
    this.window.sent(entry, cut.lineBytes, this.#line.freeAt(now) + this.#line.duration(cut.lineBytes));
    return cut.first;
  }

  /** The first frame that carries `frame`, with the others put in line. Undefined when the link can't carry it. */
  #cut(frame: Uint8Array): { readonly first: Uint8Array; readonly lineBytes: number } | undefined {
    const { mtu = 0, shortForm = false } = this.#transport ?? {};
    if (frame.length <= mtu) return { first: frame, lineBytes: Line.bytes(frame.length) };
    if (!shortForm) return undefined;
    const [first, ...others] = fragment(frame, mtu, this.#fragmented & 0xff) ?? [];
    if (!first) return undefined;
    this.#fragmented += 1;
    let lineBytes = Line.bytes(first.length);
    this.#fragments ??= new Fifo();
    for (const piece of others) {
      this.#fragments.push(piece);
      lineBytes += Line.bytes(piece.length);
    }
    return { first, lineBytes };
  }
}
