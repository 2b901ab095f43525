import { afterAll, beforeAll, expect, test } from 'vitest';
import { BootedDebian, until } from '../support/booted-debian.ts';
import { requires } from '../support/requires.ts';

const describe = requires('root', 'systemd-nspawn', 'mmdebstrap');

// The tests tell the life of one installation, in this order.
describe('the service on a Debian system', () => {
  let debian: BootedDebian;
  beforeAll(async () => {
    debian = await BootedDebian.boot();
  }, 300_000);
  afterAll(() => debian.stop());

  const property = (name: string): string =>
    debian.run(`systemctl show hashike --property=${name} --value`).stdout.trim();
  const state = (): string => `${property('ActiveState')} ${property('SubState')}`;
  const status = (): number | null => debian.run('hashike status --config /etc/hashike/hashike.yaml').status;

  test('is active once the installation ends, under its own user', () => {
    expect(debian.run('/repo/scripts/install')).toMatchObject({ status: 0 });
    expect(state()).toBe('active running');
    expect(property('StatusText')).not.toBe('');
    expect(
      debian.run(`ps -o user= -p ${property('MainPID')} || stat -c %U /proc/${property('MainPID')}`).stdout,
    ).toMatch(/^hashike/);
    expect(status()).toBe(0);
  });

  test('is back by itself after each of ten kills, with its state', async () => {
    const before = debian.run('ls /var/lib/hashike').stdout;
    for (let kills = 1; kills <= 10; kills += 1) {
      debian.run('systemctl kill --signal=KILL --kill-whom=main hashike');
      await until(() => property('NRestarts') === String(kills) && state() === 'active running');
    }
    expect(debian.run('ls /var/lib/hashike').stdout).toBe(before);
    expect(status()).toBe(0);
  });

  test('is restarted by the watchdog when it stands still', { timeout: 120_000 }, async () => {
    const restarts = Number(property('NRestarts'));
    debian.run('systemctl kill --signal=STOP --kill-whom=main hashike');
    await until(() => Number(property('NRestarts')) > restarts, 60_000);
    await until(() => state() === 'active running');
    expect(debian.run('journalctl --unit=hashike --no-pager').stdout).toMatch(/Watchdog timeout/);
  });

  test('reads its configuration again on a reload, in the same process', async () => {
    const pid = property('MainPID');
    expect(debian.run('systemctl reload hashike')).toMatchObject({ status: 0 });
    await until(() => /read again/.test(debian.run('journalctl --unit=hashike --no-pager').stdout));
    expect(property('MainPID')).toBe(pid);
  });

  test('goes on after an upgrade, with the same configuration', () => {
    debian.run('echo "# mine" >> /etc/hashike/hashike.yaml');
    expect(debian.run('/repo/scripts/install')).toMatchObject({ status: 0 });
    expect(debian.run('tail -n 1 /etc/hashike/hashike.yaml').stdout).toBe('# mine\n');
    expect(state()).toBe('active running');
  });

  test('ends cleanly, and leaves state and configuration until a purge', () => {
    expect(debian.run('/repo/scripts/uninstall')).toMatchObject({ status: 0 });
    expect(debian.run('journalctl --unit=hashike --no-pager | tail -n 1').stdout).toMatch(
      /Stopped|Deactivated/,
    );
    expect(debian.run('ls -d /var/lib/hashike /etc/hashike/hashike.yaml')).toMatchObject({ status: 0 });
    expect(debian.run('/repo/scripts/uninstall --purge')).toMatchObject({ status: 0 });
    expect(debian.run('ls -d /var/lib/hashike /etc/hashike /opt/hashike; id hashike').stdout).toBe('');
  });
});
