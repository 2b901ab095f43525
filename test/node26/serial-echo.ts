/**
 * Echoes a serial port through the gateway's driver, as quiet as a gateway can be: no timer ever wakes its event loop. The listening
 * socket, which nobody calls, keeps the loop from running out of work, since ending it would wake it too.
 */
import { createServer } from 'node:net';
import { loadSerialDriver } from '../../src/links/serial-device.ts';

createServer().listen(0, '127.0.0.1');
const [path = ''] = process.argv.slice(2);
const open = await loadSerialDriver();
const device = await open(path, 115_200);
device.start({
  data: (bytes) => device.write(bytes, () => undefined),
  gone: () => process.exit(0),
});
process.stdout.write('open\n');
