import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { requires } from '../support/requires.ts';

const describe = requires('systemd-analyze');
const unitPath = join(import.meta.dirname, '../../systemd/hashike.service');
const unit = readFileSync(unitPath, 'utf8');

describe('the systemd unit', () => {
  const folder = mkdtempSync(join(tmpdir(), 'hashike-unit-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  function verify(text: string): { readonly status: number | null; readonly stderr: string } {
    const path = join(folder, 'hashike.service');
    // The installed Node is not on this machine; this one stands in for it.
    writeFileSync(path, text.replace('ExecStart=/opt/hashike/bin/node', `ExecStart=${process.execPath}`));
    return spawnSync('systemd-analyze', ['verify', '--man=no', '--recursive-errors=yes', path], {
      encoding: 'utf8',
    });
  }

  test('is understood by systemd, each line of it', () => {
    expect(verify(unit)).toMatchObject({ status: 0, stderr: '' });
    expect(verify(unit.replace('WatchdogSec', 'WatchdogSecs')).stderr).toMatch(/WatchdogSecs/);
  });

  test('exposes little: at most 2.0 of 10 by systemd’s own measure', () => {
    const command = ['security', '--offline=true', '--threshold=20', '--no-pager', unitPath];
    expect(execFileSync('systemd-analyze', command, { encoding: 'utf8' })).toMatch(
      /Overall exposure level .*: [01]\.\d/,
    );
  });

  test('brings the gateway back for ever, and leaves it the compiler and the serial devices', () => {
    const settings = new Set(unit.split('\n'));
    for (const line of [
      'Restart=always',
      'StartLimitIntervalSec=0',
      'Type=notify',
      'NotifyAccess=all',
      'WatchdogSec=30',
    ]) {
      expect(settings).toContain(line);
    }
    for (const device of ['ttyUSB', 'ttyACM', 'ttyAMA', 'ttyS'])
      expect(settings).toContain(`DeviceAllow=char-${device} rw`);
    expect(unit).not.toMatch(/^(MemoryDenyWriteExecute|PrivateDevices)=/m);
  });
});
