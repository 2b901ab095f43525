import { closeSync, mkdtempSync, readlinkSync, rmSync, symlinkSync, write } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ReadStream } from 'node:tty';
import { setTimeout as pause } from 'node:timers/promises';

interface PtyAddon {
  open(
    columns: number,
    rows: number,
  ): { readonly master: number; readonly slave: number; readonly pty: string };
}

const addon = createRequire(import.meta.url)(
  `@lydell/node-pty-linux-${process.arch}/pty.node`,
) as unknown as PtyAddon;

/**
 * A serial cable made of a pseudo-terminal, under a stable name as udev gives it: `path` is a link to the device while it is plugged
 * in, and is not there otherwise.
 */
export class PtyLine {
  readonly folder = mkdtempSync(join(tmpdir(), 'hashike-pty-'));
  readonly path = join(this.folder, 'port');
  /** Called with what the gateway sends; replaced by tests. */
  onBytes: (bytes: Uint8Array) => void = () => undefined;
  #plugged:
    | { readonly master: number; readonly slave: number; readonly reader: ReadStream | undefined }
    | undefined;

  /** @param options.reading false: a peer that reads nothing, so that the kernel's buffer fills. */
  plug(options: { readonly reading: boolean } = { reading: true }): void {
    // The slave stays open here too: while nobody has it open, the master reports a hang-up.
    const { master, slave, pty } = addon.open(80, 24);
    const reader = options.reading ? new ReadStream(master) : undefined;
    reader?.on('data', (bytes: Buffer) => this.onBytes(bytes));
    this.#plugged = { master, slave, reader };
    symlinkSync(pty, this.path);
  }

  /** The device vanishes, with its name. */
  unplug(): void {
    rmSync(this.path, { force: true });
    if (!this.#plugged) return;
    const { master, slave, reader } = this.#plugged;
    this.#plugged = undefined;
    closeSync(slave);
    if (reader) reader.destroy();
    else closeSync(master);
  }

  /** From now on the stable name means the device of `other`, whose bytes come and go here. */
  rename(other: PtyLine): void {
    rmSync(this.path);
    symlinkSync(readlinkSync(other.path), this.path);
    other.onBytes = (bytes) => this.onBytes(bytes);
    this.send = (bytes) => other.send(bytes);
  }

  /** Sends to the gateway; waits while the kernel's buffer is full. */
  send = async (bytes: Uint8Array): Promise<void> => {
    for (let at = 0; at < bytes.length;) at += await this.#write(bytes.subarray(at));
  };

  remove(): void {
    this.unplug();
    rmSync(this.folder, { recursive: true, force: true });
  }

  async #write(bytes: Uint8Array): Promise<number> {
    const master = this.#plugged?.master;
    if (master === undefined) throw new Error('nothing is plugged in');
    const written = await new Promise<number>((resolve, reject) => {
      write(master, bytes, (error, count) => {
        if (!error) resolve(count);
        else if (error.code === 'EAGAIN') resolve(0);
        else reject(error);
      });
    });
    if (written === 0) await pause(1);
    return written;
  }
}
