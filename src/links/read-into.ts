import { Socket } from 'node:net';

/** As much of a socket's handle as this needs. */
interface Handle {
  useUserBuffer(buffer: Uint8Array): void;
}

/**
 * Has a connection read into `buffer` again and again, and calls `take` with the number of bytes after each read: what `net.connect` offers as `onread` and a server's connections lack. Memory
 * for each read, as it comes with `data`, costs more than all else that a small message needs, and with large ones keeps the garbage collector busy half of the time.
 *
 * There is no public way, so this sets what `onread` sets. False where this version of Node, or this kind of socket, does not have it so: then there are the `data` events. Several
 * connections may share a buffer: it is free again when `take` returns. One that answered `false` would end the reading.
 */
export function readInto(socket: Socket, buffer: Uint8Array, take: (length: number) => void): boolean {
  if (Object.getPrototypeOf(socket) !== Socket.prototype || !('_handle' in socket)) return false;
  const { _handle: handle } = socket;
  const symbols = Object.getOwnPropertySymbols(socket);
  const kBuffer = symbols.find(({ description }) => description === 'kBuffer');
  const kBufferCb = symbols.find(({ description }) => description === 'kBufferCb');
  if (!isHandle(handle) || !kBuffer || !kBufferCb) return false;
  handle.useUserBuffer(buffer);
  Object.assign(socket, {
    [kBuffer]: buffer,
    [kBufferCb]: take,
  });
  return true;
}

function isHandle(handle: unknown): handle is Handle {
  return (
    typeof handle === 'object' &&
    handle !== null &&
    'useUserBuffer' in handle &&
    typeof handle.useUserBuffer === 'function'
  );
}
