import type { Socket } from 'node:net';
import type { Clock } from '../base/clock.ts';
import { HashikeError } from '../base/errors.ts';
import { type Slab, Slabs } from '../base/slabs.ts';
import { forEachFrame, LongFormDelimiter } from '../wire/long-form-delimiter.ts';
import { MESSAGE_HEADER_BYTES } from '../wire/numbers.ts';
import type { PublishView } from '../wire/publish-view.ts';
import { peerOf } from './accepted.ts';
import { CLOSE_TIMEOUT_MS, farewell } from './closing.ts';
import type { Link, LinkCapabilities, LinkHandler } from './link.ts';
import { readInto } from './read-into.ts';
import { type Flushable, WriteTurn } from './write-turn.ts';

/** Most bytes of one read. */
const READ_BYTES = 128 * 1024;
const SMALL_BYTES = 2048;
/** The longest message fits, and what is left of the small one. */
const LARGE_BYTES = 68 * 1024;

export interface TcpLinkOptions {
  /** Largest payload of a message; a longer one ends the link as soon as it is announced. */
  readonly messageBytes: number;
  readonly clock: Clock;
}

/** What a link says of itself. */
export interface LinkIdentity {
  readonly name: 'tcp' | 'tls';
  readonly certificate?: string | undefined;
}

/** What the connections of one source have in common. */
export class SharedByLinks {
  readonly turn = new WriteTurn();
  /** What is sent in a turn. */
  readonly small = new Slabs(SMALL_BYTES, 1024);
  /** The same where it is more, and messages that come in pieces. */
  readonly large = new Slabs(LARGE_BYTES, 128);
  /** What each reads into. */
  readonly incoming = new Uint8Array(READ_BYTES);
  /** The links that are not closed. */
  readonly open = new Set<TcpLink>();
  #capabilities: LinkCapabilities | undefined;

  /** Those of a link whose messages have at most `mtu` bytes: the same object for all of them. */
  capabilities(mtu: number): LinkCapabilities {
    if (this.#capabilities?.mtu !== mtu) this.#capabilities = { reliable: true, shortForm: false, mtu };
    return this.#capabilities;
  }
}

/** For the connections of one source. */
export function sharedByLinks(): SharedByLinks {
  return new SharedByLinks();
}

/** The error stays with the socket: the end of the link tells it. */
function leaveError(): void {}

/**
 * A TCP connection, plain or inside TLS, in long-form messages (clause 3). The frames that are sent in one turn of the event loop leave in one write, or in two (`WriteTurn`). Bytes that are no
 * message get DISCONNECT and end the link: `closed` then has an error that is the peer's fault. The high-water mark is that of Node's
 * sockets (64 KiB); `drained` comes when the operating system has taken everything.
 */
export class TcpLink implements Link, Flushable {
  readonly name: string;
  readonly certificate: string | undefined;
  readonly peer: string;
  readonly capabilities: LinkCapabilities;
  readonly #socket: Socket;
  readonly #clock: Clock;
  readonly #delimiter: LongFormDelimiter;
  readonly #shared: SharedByLinks;
  /** Whether reads go to `#shared.incoming`. */
  readonly #inPlace: boolean;
  /** What was sent in this turn: the first `#slabLength` bytes. */
  #slab: Slab | undefined;
  #slabLength = 0;
  #handler: LinkHandler | undefined;
  #cause: HashikeError | undefined;
  /** `drained` is owed. */
  #full = false;
  /** `close` was called, or the stream is lost: nothing goes up any more but `closed`. */
  #closing = false;

  /** @param shared by the connections of a source */
  constructor(
    socket: Socket,
    { name, certificate }: LinkIdentity,
    options: TcpLinkOptions,
    shared: SharedByLinks,
  ) {
    this.name = name;
    this.certificate = certificate;
    // A socket knows it no more once it is closed.
    this.peer = peerOf(socket);
    this.#socket = socket;
    this.#clock = options.clock;
    this.#shared = shared;
    const maxFrameBytes = MESSAGE_HEADER_BYTES + options.messageBytes;
    this.capabilities = shared.capabilities(maxFrameBytes);
    this.#delimiter = new LongFormDelimiter({
      maxFrameBytes,
      onRun: (bytes, from, to) => this.#run(bytes, from, to),
      slabs: shared.large,
    });
    socket.setNoDelay(true);
    this.#inPlace = readInto(socket, shared.incoming, (length) =>
      this.#feed(shared.incoming.subarray(0, length)),
    );
    // Until `start`.
    socket.pause();
    shared.open.add(this);
    socket.on('error', leaveError);
    socket.on('close', () => this.#closed());
  }

  get remoteAddress(): string | undefined {
    return this.#socket.remoteAddress;
  }

  get queuedBytes(): number {
    return this.#socket.writableLength + this.#slabLength;
  }

  start(handler: LinkHandler): void {
    this.#handler = handler;
    const socket = this.#socket;
    // A plain array: of a Buffer `slice` would be no copy.
    const feed = ({ buffer, byteOffset, length }: Buffer): void =>
      this.#feed(new Uint8Array(buffer, byteOffset, length));
    if (!this.#inPlace) socket.on('data', feed);
    // A connection can break before anybody looks at it.
    if (socket.closed) queueMicrotask(() => this.#closed());
    else socket.resume();
  }

  send(frame: Uint8Array): boolean {
    if (frame.length > this.capabilities.mtu) {
      throw new HashikeError('HSK-1103', 'a frame is longer than the link takes', {
        length: frame.length,
        most: this.capabilities.mtu,
      });
    }
    if (!this.#socket.writable) return true;
    const at = this.#reserve(frame.length);
    this.#slab?.bytes.set(frame, at);
    return !this.#socket.writableNeedDrain;
  }

  relay(publish: PublishView, timestamp: number): boolean {
    if (!this.#socket.writable) return true;
    const at = this.#reserve(publish.deliveryLength(undefined));
    if (this.#slab) publish.writeDelivery(this.#slab.bytes, this.#slab.words, at, timestamp);
    return !this.#socket.writableNeedDrain;
  }

  /** Gives the operating system what was sent. */
  flush(): void {
    const slab = this.#slab;
    if (!slab) return;
    const length = this.#slabLength;
    this.#slab = undefined;
    this.#slabLength = 0;
    if (this.#socket.writable && !this.#socket.write(slab.bytes.subarray(0, length))) this.#waitForDrain();
    // Whatever the operating system did not take at once is still read from there.
    if (this.#socket.writableLength > 0) return;
    const { small, large } = this.#shared;
    (slab.bytes.length === SMALL_BYTES ? small : large).give(slab);
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    if (!this.#closing) this.#socket.resume();
  }

  close(): void {
    if (this.#closing) return;
    this.#closing = true;
    this.flush();
    const socket = this.#socket;
    socket.end();
    // Reading on lets the end of the peer's side be seen; what still comes is left out.
    socket.resume();
    const timer = this.#clock.after(CLOSE_TIMEOUT_MS, () => socket.destroy());
    socket.once('close', () => timer.cancel());
  }

  #feed(chunk: Uint8Array): void {
    if (this.#closing) return;
    try {
      this.#delimiter.feed(chunk);
      this.#shared.turn.afterRead();
    } catch (error) {
      if (!(error instanceof HashikeError)) throw error;
      this.#cause ??= error;
      this.#refuse(error);
    }
  }

  #run(bytes: Uint8Array, from: number, to: number): void {
    if (this.#closing) return;
    const handler = this.#handler;
    if (handler?.run) {
      handler.run(bytes, from, to);
      return;
    }
    // The handler's own.
    forEachFrame(bytes.slice(from, to), 0, to - from, (frame) => {
      if (!this.#closing) this.#handler?.frame(frame);
    });
  }

  /** Where the next `length` bytes go in the slab. Many a connection sends little in a turn: it begins with a small one. */
  #reserve(length: number): number {
    const { small, large, turn } = this.#shared;
    const held = this.#slab;
    if (held && this.#slabLength + length > held.bytes.length) {
      if (held.bytes.length === SMALL_BYTES) this.#grow(held);
      else this.flush();
    }
    if (!this.#slab) {
      this.#slab = length <= SMALL_BYTES ? small.take() : large.take();
      turn.atEnd(this);
    }
    const at = this.#slabLength;
    this.#slabLength += length;
    return at;
  }

  #grow(held: Slab): void {
    const { small, large } = this.#shared;
    this.#slab = large.take();
    this.#slab.bytes.set(held.bytes.subarray(0, this.#slabLength));
    small.give(held);
  }

  /** The stream is lost: says so and closes (clauses 5.7.2 and 9). */
  #refuse(error: HashikeError): void {
    this.send(farewell(error));
    this.close();
  }

  #waitForDrain(): void {
    if (this.#full) return;
    this.#full = true;
    this.#socket.once('drain', () => {
      this.#full = false;
      if (!this.#closing) this.#handler?.drained();
    });
  }

  #closed(): void {
    this.#shared.open.delete(this);
    this.#cause ??= this.#break();
    this.#closing = true;
    const handler = this.#handler;
    this.#handler = undefined;
    handler?.closed(this.#cause);
  }

  /** What ended the connection, unless it was an orderly end. */
  #break(): HashikeError | undefined {
    const { peer } = this;
    const { errored } = this.#socket;
    if (errored) return new HashikeError('HSK-2101', 'the connection broke', { peer }, errored);
    if (this.#closing || this.#delimiter.pendingBytes === 0) return undefined;
    return new HashikeError('HSK-2101', 'the connection ended within a message', { peer });
  }
}
