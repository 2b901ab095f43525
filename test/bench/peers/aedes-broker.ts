/** aedes as a program: `node aedes-broker.ts PORT`. */
import { createServer } from 'node:net';
import { Aedes } from 'aedes';

const aedes = await Aedes.createBroker();
const server = createServer((socket) => {
  socket.setNoDelay(true);
  aedes.handle(socket);
});
server.listen({ port: Number(process.argv[2]), host: '127.0.0.1' });
