/**
 * What the upstream bridge carries, from the spool on disk to a real mosquitto on loopback and into deletion:
 *
 *     npm exec --no -c 'node test/bench/mqtt-bridge.ts'
 *
 * Throughput: 20,000 readings that lie on disk already. Latency: 500 readings, one every 10 ms, from the call of `append` to the application
 * upstream that hears it.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { readings } from '../contract/bridge-contract.ts';
import { BridgeHouse, mqttConfig } from '../support/bridge-house.ts';
import { Mosquitto } from '../support/mosquitto.ts';
import { UpstreamListener } from '../support/upstream-listener.ts';

const BACKLOG = 20_000;
const PACED = 500;

async function until(reached: () => boolean): Promise<void> {
  while (!reached()) await pause(1);
}

async function throughput(version: 4 | 5): Promise<void> {
  await using broker = await Mosquitto.start();
  await using house = await BridgeHouse.open();
  for (let first = 1; first <= BACKLOG; first += 1000) await house.append(readings(first, 1000));
  const before = performance.now();
  await house.bridge(mqttConfig({ url: broker.url, version }));
  await until(() => house.waiting === 0);
  const seconds = (performance.now() - before) / 1000;
  console.log(`MQTT ${version}, window 32: ${Math.round(BACKLOG / seconds)} readings/s`);
}

async function latency(): Promise<void> {
  await using broker = await Mosquitto.start();
  await using app = await UpstreamListener.connect(broker.url, { filter: 'gw/greenhouse/#' });
  await using house = await BridgeHouse.open();
  await house.bridge(mqttConfig({ url: broker.url }));
  const sent = new Map<string, number>();
  const took: number[] = [];
  const stored: number[] = [];
  app.client.on('message', (_topic, payload) => {
    const { id } = JSON.parse(payload.toString()) as { id: string };
    took.push(performance.now() - (sent.get(id) ?? Number.NaN));
  });
  for (let number = 1; number <= PACED; number += 1) {
    const before = performance.now();
    sent.set(`gw/0102030405060708/${number}`, before);
    await house.append(readings(number, 1));
    stored.push(performance.now() - before);
    await pause(10);
  }
  await until(() => took.length === PACED);
  console.log(`on disk (acknowledged to the node): ${spread(stored)}`);
  console.log(`heard upstream: ${spread(took)}`);
}

function spread(figures: number[]): string {
  figures.sort((a, b) => a - b);
  const at = (part: number): string => (figures[Math.floor((figures.length - 1) * part)] ?? 0).toFixed(1);
  return `median ${at(0.5)} ms, p99 ${at(0.99)} ms`;
}

await throughput(5);
await throughput(4);
await latency();
