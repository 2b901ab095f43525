import { concat } from '../../src/base/bytes.ts';
import { HashikeError } from '../../src/base/errors.ts';
import type { Link, LinkCapabilities, LinkHandler } from '../../src/links/link.ts';

const HIGH_WATER_BYTES = 4096;

/** What a long-form stream over TCP can do. */
export const streamCapabilities: LinkCapabilities = { reliable: true, shortForm: false, mtu: 65_540 };
/** What a serial line can do. */
export const wireCapabilities: LinkCapabilities = {
  reliable: false,
  shortForm: true,
  mtu: 1024,
  bitRate: 115_200,
  place: '/dev/ttyTest',
};

/**
 * One end of a link within the process: frames arrive after the present turn, in order, however they are read. `break` ends both ends as a pulled cable
 * does; what was under way is lost.
 */
export class MemoryLink implements Link {
  readonly name = 'memory';
  readonly peer = 'memory';
  readonly capabilities: LinkCapabilities;
  /** Itself before it is one of a pair. */
  #other: MemoryLink = this;
  #handler: LinkHandler | undefined;
  /** Sent to this end and not read. */
  readonly #incoming: Uint8Array[] = [];
  #incomingBytes = 0;
  #paused = false;
  #full = false;
  #scheduled = false;
  #state: 'open' | 'closing' | 'closed' = 'open';

  readonly #runs: boolean;

  /** @param runs what lies there is handed on together, as TCP does it, where the handler takes it so */
  constructor(capabilities: LinkCapabilities, runs: boolean) {
    this.capabilities = capabilities;
    this.#runs = runs;
  }

  static pair(
    capabilities: LinkCapabilities = streamCapabilities,
    runs = capabilities.reliable,
  ): [MemoryLink, MemoryLink] {
    const a = new MemoryLink(capabilities, runs);
    const b = new MemoryLink(capabilities, runs);
    a.#other = b;
    b.#other = a;
    return [a, b];
  }

  get isClosed(): boolean {
    return this.#state === 'closed';
  }

  get queuedBytes(): number {
    return this.#other.#incomingBytes;
  }

  start(handler: LinkHandler): void {
    this.#handler = handler;
    this.#schedule();
  }

  send(frame: Uint8Array): boolean {
    if (frame.length > this.capabilities.mtu) throw new HashikeError('HSK-1103', 'over the MTU');
    const other = this.#other;
    if (this.#state !== 'open') return true;
    other.#incoming.push(frame.slice());
    other.#incomingBytes += frame.length;
    other.#schedule();
    this.#full ||= other.#incomingBytes > HIGH_WATER_BYTES;
    return !this.#full;
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#schedule();
  }

  close(): void {
    if (this.#state !== 'open') return;
    this.#state = 'closing';
    this.#schedule();
    this.#other.#schedule();
  }

  break(): void {
    for (const end of [this, this.#other]) {
      end.#incoming.length = 0;
      end.#end(new HashikeError('HSK-2101', 'the cable was pulled'));
    }
  }

  #schedule(): void {
    if (this.#scheduled || !this.#handler) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      this.#run();
    });
  }

  #run(): void {
    if (this.#state === 'closing') this.#incoming.length = 0;
    while (!this.#paused && this.#state === 'open') {
      const frame = this.#incoming.shift();
      if (!frame) break;
      this.#incomingBytes -= frame.length;
      if (this.#runs && this.#handler?.run && isWhole(frame)) this.#handOnRun(frame);
      else this.#handler?.frame(frame);
    }
    const other = this.#other;
    if (this.#incoming.length === 0 && other.#full) {
      other.#full = false;
      other.#handler?.drained();
    }
    const bothHaveRead = this.#incoming.length === 0 && (other.#state !== 'open' || this.#state !== 'open');
    if (bothHaveRead && (this.#state === 'closing' || other.#state !== 'open')) this.#end(undefined);
  }

  /** Hands `first` and what follows it on as a run, where it is whole messages; the bytes are lent, so they are spoilt afterwards. */
  #handOnRun(first: Uint8Array): void {
    const frames = [first];
    for (let next = this.#incoming[0]; next && isWhole(next); next = this.#incoming[0]) {
      this.#incoming.shift();
      this.#incomingBytes -= next.length;
      frames.push(next);
    }
    const bytes = concat([new Uint8Array(4), ...frames]);
    this.#handler?.run?.(bytes, 4, bytes.length);
    bytes.fill(0xee);
  }

  #end(cause: HashikeError | undefined): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#handler?.closed(cause);
    this.#other.#schedule();
  }
}

/** Whether it is one message in the long form, as far as its header tells. */
function isWhole(frame: Uint8Array): boolean {
  const [zero, type, high = 0, low = 0] = frame;
  const length = (high << 8) | low;
  return zero === 0 && type !== 0 && length % 4 === 0 && frame.length === 8 + length;
}
