import { closeSync, mkdirSync, read, renameSync, rmSync, symlinkSync, writeSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { ReadStream } from 'node:tty';
import { realClock, type Timer } from '../clock.ts';
import type { BytePort } from './byte-port.ts';

interface PtyAddon {
  open(columns: number, rows: number): { master: number; slave: number; pty: string };
}

/** How often to look whether somebody has opened the port. */
const LOOK_MS = 20;
const RETRY_MS = 1;
/** A driver's buffer: what is written beyond it, to a gateway that does not read, is lost like bytes in an overrun UART. */
const BUFFER_BYTES = 65_536;

/** The addon without its JavaScript: that one starts a reader of its own, which steals the bytes. */
function loadAddon(): PtyAddon {
  const name = `@lydell/node-pty-${process.platform}-${process.arch}/pty.node`;
  return createRequire(import.meta.resolve('@lydell/node-pty'))(name) as PtyAddon;
}

/**
 * The gateway's end of a wire as a real device: a pseudo-terminal under a path of our choice, which is a link to it. While nobody has the device
 * open, bytes written to it are gone, as on a wire. When the one who had it open closes it (or is killed), the pseudo-terminal ends, and a fresh one takes its
 * place under the same path at once: so no lock, mode or stale byte of the former user is left. `unplug` and `plug` take the device away and bring it back.
 *
 * In real time only.
 */
export class Pty implements BytePort {
  readonly path: string;
  readonly #addon: PtyAddon = loadAddon();
  #listener: (bytes: Uint8Array) => void = () => undefined;
  #master: number | undefined;
  #stream: ReadStream | undefined;
  #look: Timer | undefined;
  #retry: Timer | undefined;
  #queue: Uint8Array[] = [];
  #queued = 0;
  #held = false;
  /** Bytes that nobody took: the port was closed, gone or full. */
  lost = 0;

  /** @param path where the link to the device stands; replaced when it exists. */
  constructor(path: string) {
    this.path = path;
  }

  /** Somebody has the device open. */
  get opened(): boolean {
    return this.#stream !== undefined;
  }

  /** The device appears. */
  plug(): void {
    if (this.#master !== undefined) return;
    const { master, slave, pty } = this.#addon.open(80, 24);
    // With this end closed too, reading the master fails until somebody opens the device: so we know whether anybody listens.
    closeSync(slave);
    this.#master = master;
    mkdirSync(dirname(this.path), { recursive: true });
    const fresh = `${this.path}.new`;
    rmSync(fresh, { force: true });
    symlinkSync(pty, fresh);
    renameSync(fresh, this.path);
    this.#lookForUser();
  }

  /** The device vanishes, and whoever has it open loses it. */
  unplug(): void {
    rmSync(this.path, { force: true });
    this.#end();
  }

  write(bytes: Uint8Array): void {
    if (!this.#stream || this.#queued + bytes.length > BUFFER_BYTES) {
      this.lost += bytes.length;
      return;
    }
    this.#queue.push(bytes);
    this.#queued += bytes.length;
    if (!this.#retry) this.#flush();
  }

  onData(listener: (bytes: Uint8Array) => void): void {
    this.#listener = listener;
  }

  hold(held: boolean): void {
    this.#held = held;
    if (held) this.#stream?.pause();
    else this.#stream?.resume();
  }

  #lookForUser(): void {
    const master = this.#master;
    if (master === undefined) return;
    const buffer = new Uint8Array(4096);
    read(master, buffer, 0, buffer.length, null, (error, count) => {
      if (this.#master !== master) {
        closeSync(master);
        return;
      }
      const nobody = error !== null && error.code !== 'EAGAIN';
      this.#look = realClock.after(LOOK_MS, () => {
        // One pause more after the opening lets the user set the device to raw mode before the first byte.
        if (nobody) this.#lookForUser();
        else this.#serve(master, buffer.subarray(0, count));
      });
    });
  }

  #serve(master: number, first: Uint8Array): void {
    const stream = new ReadStream(master);
    this.#look = undefined;
    this.#stream = stream;
    stream.on('data', (bytes: Buffer) => this.#listener(new Uint8Array(bytes)));
    // EIO: the last user has closed the device. The stream then closes the master.
    stream.on('error', () => undefined);
    stream.on('close', () => {
      if (this.#stream !== stream) return;
      this.#forget();
      this.plug();
    });
    if (first.length > 0) this.#listener(first);
    if (this.#held) stream.pause();
  }

  /** Written without waiting: the master does not block, and an asynchronous write could meet a descriptor that is another's by then. */
  #flush(): void {
    this.#retry = undefined;
    while (this.#master !== undefined && this.#queue[0]) {
      const bytes = this.#queue[0];
      let written = 0;
      try {
        written = writeSync(this.#master, bytes);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') return;
      }
      this.#queued -= written;
      if (written === bytes.length) this.#queue.shift();
      else {
        this.#queue[0] = bytes.subarray(written);
        this.#retry = realClock.after(RETRY_MS, () => this.#flush());
        return;
      }
    }
  }

  #end(): void {
    const stream = this.#stream;
    const master = this.#master;
    const looking = this.#look !== undefined;
    this.#forget();
    if (stream) stream.destroy();
    else if (master !== undefined && looking) closeSync(master);
  }

  #forget(): void {
    this.lost += this.#queued;
    this.#queue = [];
    this.#queued = 0;
    this.#retry?.cancel();
    this.#retry = undefined;
    this.#look?.cancel();
    this.#look = undefined;
    this.#stream = undefined;
    this.#master = undefined;
  }
}
