import { systemClock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import type { Link } from '../../src/links/link.ts';
import { connectTcp, TcpSource } from '../../src/links/tcp.ts';
import { MemoryLink } from '../support/memory-link.ts';
import { linkContract } from './link-contract.ts';

const common = { clock: systemClock, messageBytes: 65_532, log: silentLog };

linkContract('TCP', async () => {
  const source = new TcpSource({ ...common, host: '127.0.0.1', port: 0 });
  const accepted = Promise.withResolvers<Link>();
  await source.open(accepted.resolve);
  const port = source.address?.port ?? 0;
  const near = await connectTcp({ ...common, host: '127.0.0.1', port, timeoutMs: 5000 });
  return {
    near,
    far: await accepted.promise,
    [Symbol.asyncDispose]: async () => {
      near.close();
      await source.close();
    },
  };
});

linkContract('the link of the tests', async () => {
  const [near, far] = MemoryLink.pair();
  return { near, far, [Symbol.asyncDispose]: () => Promise.resolve() };
});
