import { once } from 'node:events';
import { Agent, type IncomingMessage, type ObserveReadStream } from 'coap';
import { CoapGateway, Datagrams } from '../support/coap-gateway.ts';
import { type InletBench, inletContract, type Outcome } from './inlet-contract.ts';

const outcomes: Readonly<Record<string, Outcome>> = {
  '2.04': 'taken',
  '4.01': 'no-token',
  '4.03': 'not-allowed',
  '5.00': 'failed',
  '5.03': 'later',
};

async function openCoap(): Promise<InletBench> {
  const gateway = await CoapGateway.open({ ackTimeoutMs: 500 });
  const agent = new Agent({ type: 'udp6' });
  const stranger = await Datagrams.open(gateway.port);
  const ask = async (
    options: Parameters<Agent['request']>[0],
    bytes?: Uint8Array,
  ): Promise<IncomingMessage> => {
    const request = agent.request({ hostname: '::1', port: gateway.port, ...options });
    request.end(bytes && Buffer.from(bytes));
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    return response;
  };
  return Object.assign(gateway, {
    async publish({ topic, bytes, reliable, token = gateway.token }: Parameters<InletBench['publish']>[0]) {
      const query = `t=${token}`;
      const { code } = await ask(
        { method: 'POST', pathname: `/${topic}`, query, confirmable: reliable },
        bytes,
      );
      const outcome = outcomes[code];
      if (!outcome) throw new Error(`an answer that the contract has no word for: ${code}`);
      return outcome;
    },
    async receiveCommands() {
      const query = `t=${gateway.token}`;
      const stream = (await ask({
        pathname: '/node/set',
        query,
        observe: true,
      })) as unknown as ObserveReadStream;
      const commands: Uint8Array[] = [];
      stream.on('data', (bytes: Buffer) => {
        // The first answer says that there is no value yet.
        if (bytes.length > 0) commands.push(bytes);
      });
      return commands;
    },
    sendGarbage: (bytes: Uint8Array) => stranger.send(bytes),
    async close() {
      stranger.close();
      await gateway.inlet.close();
      agent.close();
    },
  });
}

inletContract('CoAP', openCoap);
