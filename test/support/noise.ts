import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import type { Random } from '../../firmware-sim/random.ts';

/** Beginnings that get noise past the first look: a CONNECT_TOKEN of the longest length, a short one, CoAP requests that are confirmable or not. */
const tcpLeads = ['', '0001fffc00000000', '0001000800000000', '00220010'];
const coapLeads = ['', '4001', '4002', '5403', '6045'];

/** Up to 1024 random bytes, perhaps behind one of the `leads` (hex). */
function noise(random: Random, leads: readonly string[]): Uint8Array {
  const lead = Buffer.from(leads[random.below(leads.length)] ?? '', 'hex');
  return Buffer.concat([lead, random.bytes(1 + random.below(1024))]);
}

/** Connects to `port` again and again until `signal`, and sends random bytes on each connection. Gives the number of connections. */
export async function tcpNoise(port: number, random: Random, signal: AbortSignal): Promise<number> {
  let connections = 0;
  for (; !signal.aborted; connections += 1) {
    const socket = connect({ host: '127.0.0.1', port });
    socket.on('error', () => undefined);
    const closed = new Promise<void>((resolve) => {
      socket.once('close', () => resolve());
    });
    socket.write(noise(random, tcpLeads));
    await pause(random.below(20));
    socket.write(noise(random, ['']));
    socket.resume();
    await pause(random.below(20));
    if (random.chance(0.5)) socket.resetAndDestroy();
    else socket.destroy();
    await closed;
  }
  return connections;
}

/** Sends random datagrams to `port` of ::1 until `signal`. Gives their number. */
export async function udpNoise(port: number, random: Random, signal: AbortSignal): Promise<number> {
  const socket = createSocket('udp6');
  socket.on('error', () => undefined);
  socket.connect(port, '::1');
  await once(socket, 'connect');
  let datagrams = 0;
  for (; !signal.aborted; datagrams += 1) {
    socket.send(noise(random, coapLeads));
    await pause(random.below(5));
  }
  socket.close();
  return datagrams;
}

/** Writes random bytes to a line until `signal`. Gives their number. */
export async function lineNoise(
  line: { write(bytes: Uint8Array): void },
  random: Random,
  signal: AbortSignal,
): Promise<number> {
  let bytes = 0;
  while (!signal.aborted) {
    const some = noise(random, ['', '00', '0000']);
    line.write(some);
    bytes += some.length;
    // At the pace of the line.
    await pause(some.length / 11.52);
  }
  return bytes;
}
