import { setImmediate } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { silentLog } from '../../../src/base/log.ts';
import { UdpBatch } from '../../../src/links/udp-batch.ts';
import { UdpSocket, type UdpSocketOptions } from '../../../src/links/udp.ts';
import { until } from '../../support/until.ts';

const sockets: UdpSocket[] = [];
afterEach(async () => {
  await Promise.all(sockets.splice(0).map((socket) => socket.close()));
});

const heard: string[] = [];
const options = (port: number, received: UdpSocketOptions['received']): UdpSocketOptions => ({
  host: 'localhost',
  port,
  log: silentLog,
  received,
});

async function kept(socket: Promise<UdpSocket>): Promise<UdpSocket> {
  sockets.push(await socket);
  return socket;
}

describe('UDP sockets', () => {
  test('carry datagrams both ways, and answers go where the question came from', async () => {
    const server = await kept(
      UdpSocket.listen(
        options(0, (datagram, from) => server.send(Buffer.concat([Buffer.from('re: '), datagram]), from)),
      ),
    );
    const client = await kept(
      UdpSocket.connect(
        options(server.address.port, (datagram) => heard.push(Buffer.from(datagram).toString())),
      ),
    );
    expect(client.send(Buffer.from('hello'), server.address)).toBe(true);
    await until(() => heard.length === 1, 2000, 'no answer');
    expect(heard).toEqual(['re: hello']);
  });

  test('a port that is taken is a clear error', async () => {
    const first = await kept(UdpSocket.listen(options(0, () => undefined)));
    const { port } = first.address;
    const second = UdpSocket.listen(options(port, () => undefined));
    await expect(second).rejects.toMatchObject({ code: 'HSK-2130' });
    await expect(second).rejects.toThrow(`port ${port} (UDP)`);
  });

  test('a server that cannot be found is a clear error', async () => {
    const nowhere = { ...options(7858, () => undefined), host: 'nowhere.invalid' };
    await expect(UdpSocket.connect(nowhere)).rejects.toMatchObject({ code: 'HSK-2131' });
  });

  test('a port on which nobody listens is no error but loss', async () => {
    const gone = await UdpSocket.listen(options(0, () => undefined));
    const { port } = gone.address;
    await gone.close();
    const client = await kept(UdpSocket.connect(options(port, () => undefined)));
    for (let times = 0; times < 5; times += 1) {
      expect(client.send(Uint8Array.of(1), { host: 'localhost', port })).toBe(true);
      await setImmediate();
    }
  });

  test('beyond the bound of its queue nothing is taken', async () => {
    const client = await kept(UdpSocket.connect(options(9, () => undefined)));
    const datagram = new Uint8Array(1200);
    let taken = 0;
    while (taken < 100_000 && client.send(datagram, { host: 'localhost', port: 9 })) taken += 1;
    expect(taken * datagram.length).toBeLessThanOrEqual(1_048_576);
  });
});

describe('a batch of datagrams', () => {
  test('puts what is sent in one turn into as few as it fits, in order', async () => {
    const payloads: number[][] = [];
    const batch = new UdpBatch(8, (payload) => payloads.push([...payload]));
    for (const message of [
      [1, 2, 3, 4],
      [5, 6, 7, 8],
      [9, 10, 11, 12],
    ])
      expect(batch.add(Uint8Array.from(message))).toBe(true);
    expect(batch.add(new Uint8Array(9))).toBe(false);
    await setImmediate();
    batch.add(Uint8Array.of(13));
    await setImmediate();
    expect(payloads).toEqual([[1, 2, 3, 4, 5, 6, 7, 8], [9, 10, 11, 12], [13]]);
  });
});
