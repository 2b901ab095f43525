import { mkdtempSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SerialPort } from 'serialport';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Pty } from '../../firmware-sim/line/pty.ts';

/** What a gateway does with a serial port. */
class User {
  readonly heard: Buffer[] = [];
  closed = false;
  readonly #port: SerialPort;

  private constructor(port: SerialPort) {
    this.#port = port;
    port.on('data', (bytes: Buffer) => this.heard.push(bytes));
    port.on('close', () => (this.closed = true));
    port.on('error', () => undefined);
  }

  static async open(path: string): Promise<User> {
    const port = new SerialPort({ path, baudRate: 115_200, autoOpen: false });
    await new Promise<void>((resolve, reject) => {
      port.open((error) => (error ? reject(error) : resolve()));
    });
    return new User(port);
  }

  write(bytes: Uint8Array): void {
    this.#port.write(Buffer.from(bytes));
  }

  get all(): Buffer {
    return Buffer.concat(this.heard);
  }

  async close(): Promise<void> {
    if (this.#port.isOpen) await new Promise((resolve) => this.#port.close(resolve));
  }
}

const every = Uint8Array.from({ length: 256 }, (_, byte) => byte);
const soon = { timeout: 5000, interval: 5 };

describe('a device on a pseudo-terminal', () => {
  let directory: string;
  let pty: Pty;
  let heard: Buffer;
  const users: User[] = [];
  const open = async (): Promise<User> => {
    const user = await User.open(pty.path);
    users.push(user);
    await vi.waitUntil(() => pty.opened, soon);
    return user;
  };

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'hashike-pty-'));
    pty = new Pty(join(directory, 'dev', 'tty-1'));
    heard = Buffer.alloc(0);
    pty.onData((bytes) => (heard = Buffer.concat([heard, bytes])));
    pty.plug();
  });

  afterEach(async () => {
    pty.unplug();
    for (const user of users.splice(0)) await user.close();
    rmSync(directory, { recursive: true });
  });

  test('carries every byte both ways', async () => {
    const user = await open();
    pty.write(every);
    user.write(every);
    await vi.waitUntil(() => user.all.length >= 256 && heard.length >= 256, soon);
    expect(user.all).toEqual(Buffer.from(every));
    expect(heard).toEqual(Buffer.from(every));
    expect(pty.lost).toBe(0);
  });

  test('carries much more than its buffer holds', async () => {
    const user = await open();
    const much = Uint8Array.from({ length: 60_000 }, (_, index) => index % 251);
    pty.write(much);
    user.write(much);
    await vi.waitUntil(() => user.all.length >= much.length && heard.length >= much.length, soon);
    expect(user.all).toEqual(Buffer.from(much));
    expect(heard).toEqual(Buffer.from(much));
  });

  test('loses what is written while nobody has it open', async () => {
    pty.write(every);
    expect(pty.lost).toBe(256);
    const user = await open();
    pty.write(Uint8Array.of(1, 2, 3));
    await vi.waitUntil(() => user.all.length >= 3, soon);
    expect(user.all).toEqual(Buffer.of(1, 2, 3));
  });

  test('is there again, under the same path, for the next user', async () => {
    for (const round of [1, 2, 3]) {
      const user = await open();
      user.write(Uint8Array.of(round));
      await vi.waitUntil(() => heard.at(-1) === round, soon);
      await user.close();
      await vi.waitUntil(() => !pty.opened, soon);
      pty.write(every);
    }
    const user = await open();
    pty.write(Uint8Array.of(9));
    await vi.waitUntil(() => user.all.length > 0, soon);
    expect(user.all).toEqual(Buffer.of(9));
  });

  test('vanishes when it is unplugged, and the user notices; works when it is plugged in again', async () => {
    const first = await open();
    const before = readlinkSync(pty.path);
    expect(before).toMatch(/^\/dev\/pts\//);
    pty.unplug();
    expect(() => readlinkSync(pty.path)).toThrow('ENOENT');
    await vi.waitUntil(() => first.closed, soon);
    pty.write(every);
    pty.plug();
    const second = await open();
    second.write(Uint8Array.of(7));
    pty.write(Uint8Array.of(8));
    await vi.waitUntil(() => heard.length > 0 && second.all.length > 0, soon);
    expect([heard, second.all]).toEqual([Buffer.of(7), Buffer.of(8)]);
  });

  test('can be plugged and unplugged at any pace', async () => {
    for (let round = 0; round < 50; round++) {
      pty.unplug();
      if (round % 3 === 0) await new Promise((resolve) => setTimeout(resolve, round % 30));
      pty.plug();
    }
    const user = await open();
    user.write(every);
    await vi.waitUntil(() => heard.length >= 256, soon);
    expect(heard).toEqual(Buffer.from(every));
  });

  test('holds the user back while the line is full', async () => {
    const user = await open();
    pty.hold(true);
    user.write(every);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(heard).toHaveLength(0);
    pty.hold(false);
    await vi.waitUntil(() => heard.length >= 256, soon);
  });
});
