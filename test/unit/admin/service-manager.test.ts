import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { systemdServiceManager } from '../../../src/admin/service-manager.ts';
import { silentLog } from '../../../src/base/log.ts';
import { requires } from '../../support/requires.ts';

const describe = requires('socat', 'systemd-notify');

describe('the connection to systemd', () => {
  test('says READY, WATCHDOG and STOPPING on a real notify socket', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'hashike-notify-'));
    const socket = join(directory, 'notify');
    const output = join(directory, 'said');
    const listener = spawn('socat', ['-u', `UNIX-RECV:${socket}`, `OPEN:${output},creat,append`], {
      stdio: 'ignore',
    });
    try {
      await vi.waitFor(() => readFile(output), { timeout: 5000 });
      const manager = systemdServiceManager(
        { ...process.env, NOTIFY_SOCKET: socket, WATCHDOG_USEC: '30000000' },
        silentLog,
      );
      expect(manager.watchdogMs).toBe(30_000);
      manager.ready('2 links');
      manager.alive();
      manager.stopping();
      await vi.waitFor(
        async () => {
          const said = await readFile(output, 'utf8');
          expect(said).toContain('READY=1');
          expect(said).toContain('STATUS=2 links');
          expect(said).toContain('WATCHDOG=1');
          expect(said).toContain('STOPPING=1');
        },
        { timeout: 5000 },
      );
    } finally {
      listener.kill();
      await rm(directory, { recursive: true });
    }
  });

  test('without systemd nothing is said and no watchdog is asked for', () => {
    const manager = systemdServiceManager({}, silentLog);
    expect(manager.watchdogMs).toBeUndefined();
    manager.ready('');
    manager.alive();
  });
});
