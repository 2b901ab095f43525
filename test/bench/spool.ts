import { openTempSpool } from '../support/temp-spool.ts';
import { publicationOf } from '../support/publications.ts';

/*
 * Appends per second, each durable before its promise resolves:
 *     npx --no-install -c 'node test/bench/spool.ts'
 */
const ROUND_MS = 2000;

async function measure(name: string, inFlight: number): Promise<void> {
  await using temp = await openTempSpool();
  const cloud = temp.spool.consumer('cloud');
  const publication = publicationOf(1, { content: new Uint8Array(120) });
  const sessionId = new Uint8Array(8);
  let appended = 0;
  let slowest = 0;
  let lag = 0;
  let tick = performance.now();
  const ticking = setInterval(() => {
    lag = Math.max(lag, performance.now() - tick - 1);
    tick = performance.now();
  }, 1);
  const start = performance.now();
  const running = (): boolean => performance.now() - start < ROUND_MS;
  const publisher = async (): Promise<void> => {
    while (running()) {
      const asked = performance.now();
      await temp.spool.append([{ consumer: 'cloud', publication }], { sessionId, received: appended });
      slowest = Math.max(slowest, performance.now() - asked);
      appended += 1;
    }
  };
  const upstream = async (): Promise<void> => {
    let after = 0;
    while (running()) {
      const last = (await cloud.read(after, 1000)).at(-1);
      if (last) await cloud.acknowledge((after = last.seq));
    }
  };
  await Promise.all([...Array.from({ length: inFlight }, publisher), upstream()]);
  clearInterval(ticking);
  const seconds = (performance.now() - start) / 1000;
  const figures = [
    `${Math.round(appended / seconds)} appends/s`,
    `${(appended / temp.counted('spool_commits')).toFixed(1)} appends/commit`,
    `slowest ${slowest.toFixed(1)} ms`,
    `main thread late by at most ${lag.toFixed(1)} ms`,
  ];
  console.log(`${name}: ${figures.join(', ')}`);
}

const opening = performance.now();
await (await openTempSpool())[Symbol.asyncDispose]();
console.log(`open and close: ${(performance.now() - opening).toFixed(0)} ms`);
await measure('one at a time', 1);
await measure('100 in flight', 100);
await measure('1000 in flight', 1000);
