import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import type { Clock } from '../../src/base/clock.ts';
import type { Link } from '../../src/links/link.ts';
import { sharedByLinks, TcpLink } from '../../src/links/tcp-link.ts';
import { MAX_PAYLOAD_BYTES } from '../../src/wire/numbers.ts';

/** Where a wire is cut: after so many bytes of one direction. */
export interface Cut {
  readonly direction: 'up' | 'down';
  readonly bytes: number;
  /** Only the client sees it: the server holds the connection for alive. Default: both see it. */
  readonly halfOpen?: boolean;
}

const shared = sharedByLinks();

/** One end of a byte stream within the process; as much of a socket as a TCP link needs. */
class End extends Duplex {
  readonly #carry: (chunk: Uint8Array) => void;
  readonly #finished: () => void;

  constructor(carry: (chunk: Uint8Array) => void, finished: () => void) {
    super({ allowHalfOpen: false });
    this.#carry = carry;
    this.#finished = finished;
  }

  setNoDelay(): this {
    return this;
  }

  override _read(): void {
    // What comes is pushed.
  }

  override _write(chunk: Uint8Array, _encoding: string, done: () => void): void {
    this.#carry(chunk);
    done();
  }

  override _final(done: () => void): void {
    this.#finished();
    done();
  }
}

/** A client's and a server's end of a TCP connection on bytes in memory: all but the operating system is real. What passed before the cut arrives, and nothing that follows. */
export class CutWire {
  readonly client: Link;
  readonly server: Link;
  /** Bytes that passed. */
  readonly passed = { up: 0, down: 0 };
  readonly #cut: Cut | undefined;
  /** The client's, from which `up` comes, and the server's. */
  readonly #ends: { readonly up: End; readonly down: End };
  #isCut = false;

  constructor(clock: Clock, cut?: Cut) {
    this.#cut = cut;
    this.#ends = {
      up: new End(
        (chunk) => this.#carry('up', chunk),
        () => this.#ends.down.push(null),
      ),
      down: new End(
        (chunk) => this.#carry('down', chunk),
        () => this.#ends.up.push(null),
      ),
    };
    this.client = linkOf(this.#ends.up, clock);
    this.server = linkOf(this.#ends.down, clock);
  }

  get isCut(): boolean {
    return this.#isCut;
  }

  #carry(direction: 'up' | 'down', chunk: Uint8Array): void {
    if (this.#isCut) return;
    const cut = this.#cut?.direction === direction ? this.#cut : undefined;
    const part = chunk.subarray(0, (cut?.bytes ?? Infinity) - this.passed[direction]);
    this.passed[direction] += part.length;
    this.#ends[direction === 'up' ? 'down' : 'up'].push(part.slice());
    if (this.passed[direction] !== cut?.bytes) return;
    this.#isCut = true;
    setImmediate(() => {
      const cause = new Error('the cable was cut');
      this.#ends.up.destroy(cause);
      if (!cut.halfOpen) this.#ends.down.destroy(cause);
    });
  }
}

function linkOf(end: End, clock: Clock): Link {
  const options = { messageBytes: MAX_PAYLOAD_BYTES, clock };
  return new TcpLink(end as unknown as Socket, { name: 'tcp' }, options, shared);
}
