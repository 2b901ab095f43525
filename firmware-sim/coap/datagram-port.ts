import { createSocket } from 'node:dgram';
import { once } from 'node:events';

/** One device's way to one gateway, in datagrams that may be lost. */
export interface DatagramPort {
  send(bytes: Uint8Array): void;
  /** Sets the one listener. */
  onMessage(listener: (bytes: Uint8Array) => void): void;
  close(): void;
}

/** Over UDP. Nothing is told when the gateway is away: the datagrams are lost, as on the air. */
export async function openUdp(host: string, port: number): Promise<DatagramPort> {
  const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
  socket.connect(port, host);
  await once(socket, 'connect');
  // ECONNREFUSED of a gateway that is away: the exchange's own timers deal with it.
  socket.on('error', () => undefined);
  return {
    send: (bytes) => socket.send(bytes, () => undefined),
    onMessage: (listener) => socket.on('message', (bytes) => listener(new Uint8Array(bytes))),
    close: () => socket.close(),
  };
}
