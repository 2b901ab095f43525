import { afterEach, describe, expect, test } from 'vitest';
import { hex } from '../../../src/base/bytes.ts';
import { Counters } from '../../../src/base/counters.ts';
import { silentLog } from '../../../src/base/log.ts';
import { type Random, systemRandom } from '../../../src/base/random.ts';
import { UdpPaths } from '../../../src/broker/udp-paths.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

const open: UdpPaths[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((paths) => paths.close()));
});

async function opened(random: Random = systemRandom): Promise<UdpPaths> {
  const clock = new VirtualClock();
  const counters = new Counters();
  const paths = new UdpPaths({
    host: '127.0.0.1',
    port: 0,
    silenceMs: 15_000,
    clock,
    random,
    counters,
    log: silentLog,
  });
  open.push(paths);
  await paths.open();
  return paths;
}

const nothing = (): void => undefined;

describe('the tickets of a server', () => {
  test('have a CONNECTION_ID of 2 bytes, a KEY of 24, and the port', async () => {
    const paths = await opened();
    const granted = paths.grant(nothing);
    expect(granted?.ticket.connectionId).toHaveLength(2);
    expect(granted?.ticket.key).toHaveLength(24);
    expect(granted?.ticket.port).toBe(paths.address?.port);
  });

  test('8.2.5: never share a CONNECTION_ID; a revoked one is free again', async () => {
    const ids = [1, 1, 1, 2, 1];
    const random: Random = {
      ...systemRandom,
      bytes: (length) => (length === 2 ? Uint8Array.of(0, ids.shift() ?? 9) : systemRandom.bytes(length)),
    };
    const paths = await opened(random);
    const first = paths.grant(nothing);
    const second = paths.grant(nothing);
    expect([first, second].map((granted) => granted && hex(granted.path.connectionId))).toEqual([
      '0001',
      '0002',
    ]);
    if (first) paths.revoke(first.path);
    expect(hex(paths.grant(nothing)?.path.connectionId ?? new Uint8Array(0))).toBe('0001');
  });

  test('8.2.5: take 4 bytes when half of those of 2 bytes are taken', async () => {
    const paths = await opened();
    for (let count = 0; count < 0x8000; count += 1) paths.grant(nothing);
    expect(paths.grant(nothing)?.ticket.connectionId).toHaveLength(4);
  });

  test('are not given when the port is closed', async () => {
    const paths = await opened();
    await paths.close();
    expect(paths.grant(nothing)).toBeUndefined();
    expect(paths.address).toBeUndefined();
  });
});
