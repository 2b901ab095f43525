import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import type { SerialPort } from 'serialport';
import { describeError, HashikeError } from '../base/errors.ts';
import { keepPollerAwake } from './serial-poller.ts';

/** What an open device tells its user; nothing comes after `gone`. */
export interface SerialDeviceHandler {
  /** Bytes of the line as they come. */
  data(bytes: Uint8Array): void;
  /** The device does not work any more (HSK-2154). Not called after `close`. */
  gone(cause: HashikeError): void;
}

/** One serial device while it is open, as raw bytes. */
export interface SerialDevice {
  /** Starts the flow of bytes. */
  start(handler: SerialDeviceHandler): void;
  /** Hands bytes to the operating system, which may make them wait. `taken` is not called when the device fails meanwhile. */
  write(bytes: Uint8Array, taken: () => void): void;
  pause(): void;
  resume(): void;
  /** Gives the device back, whatever state it is in. Idempotent. */
  close(): Promise<void>;
  /** Whether `path` still names the device that was opened. */
  stillThere(): Promise<boolean>;
}

/** Opens a device for raw bytes, 8N1, locked against other programs. Rejects with HSK-2150 … HSK-2153. */
export type OpenSerialDevice = (path: string, baud: number) => Promise<SerialDevice>;

/** Bytes that are read at once and may wait in the driver while reading is paused. */
const READ_BUFFER_BYTES = 16_384;

/** Loads the native driver, on first need. Throws HSK-2155 where this machine has none. */
export async function loadSerialDriver(): Promise<OpenSerialDevice> {
  try {
    const { SerialPort } = await import('serialport');
    return (path, baud) => openDevice(SerialPort, path, baud);
  } catch (error) {
    throw new HashikeError('HSK-2155', 'the serial driver cannot be loaded', {}, error);
  }
}

async function openDevice(Port: typeof SerialPort, path: string, baud: number): Promise<SerialDevice> {
  const identity = await identify(path);
  await access(path, constants.R_OK | constants.W_OK).catch((error: unknown) => {
    throw new HashikeError('HSK-2151', `${path} may not be opened by this user`, { path }, error);
  });
  const port = new Port({
    path,
    baudRate: baud,
    autoOpen: false,
    lock: true,
    highWaterMark: READ_BUFFER_BYTES,
  });
  await new Promise<void>((resolve, reject) => {
    port.open((error) => (error ? reject(openFailure(path, baud, error)) : resolve()));
  });
  if (port.port && 'poller' in port.port) keepPollerAwake(port.port.poller);
  return asDevice(port, identity);
}

function asDevice(port: SerialPort, identity: string): SerialDevice {
  let handler: SerialDeviceHandler | undefined;
  let over = false;
  let failure: HashikeError | undefined;
  const fail = (error: Error | null): void => {
    if (over) return;
    over = true;
    // A write that fails destroys the stream, perhaps before it has closed the device.
    if (port.isOpen) port.close(() => undefined);
    const text = error ? error.message : 'it was closed from below';
    failure = new HashikeError('HSK-2154', `${port.path} went away: ${text}`, { path: port.path }, error);
    handler?.gone(failure);
  };
  port.on('error', fail);
  port.on('close', fail);
  return {
    start(user) {
      handler = user;
      if (failure) user.gone(failure);
      port.on('data', (bytes: Uint8Array) => {
        if (!over) user.data(bytes);
      });
    },
    write(bytes, taken) {
      port.write(bytes, (error) => {
        if (!error && !over) taken();
      });
    },
    pause: () => void port.pause(),
    resume: () => void port.resume(),
    close() {
      over = true;
      // It fails only where the device is closed already.
      return new Promise((resolve) => port.close(() => resolve()));
    },
    stillThere: () =>
      identify(port.path).then(
        (now) => now === identity,
        () => false,
      ),
  };
}

/** What tells one device node from another of the same name. Rejects with HSK-2150 or HSK-2153. */
async function identify(path: string): Promise<string> {
  const found = await stat(path).catch((error: unknown) => {
    throw new HashikeError('HSK-2150', `there is no device ${path}`, { path }, error);
  });
  if (!found.isCharacterDevice()) {
    throw new HashikeError('HSK-2153', `${path} is not a serial device`, { path });
  }
  return `${found.dev}:${found.ino}:${found.rdev}`;
}

/** The driver tells its errors apart by text alone. */
function openFailure(path: string, baud: number, error: Error): HashikeError {
  const text = describeError(error);
  if (/lock|busy/i.test(text)) {
    return new HashikeError('HSK-2152', `another program uses ${path}`, { path }, error);
  }
  if (/permission|not permitted/i.test(text)) {
    return new HashikeError('HSK-2151', `${path} may not be opened by this user`, { path }, error);
  }
  if (/no such (file|device)/i.test(text)) {
    return new HashikeError('HSK-2150', `there is no device ${path}`, { path }, error);
  }
  return new HashikeError(
    'HSK-2153',
    `${path} cannot be opened at ${baud} baud: ${text}`,
    { path, baud },
    error,
  );
}
