import { afterEach, describe, expect, test } from 'vitest';
import { type ClientSubscription, contentSections, encodeContent } from '../../src/client/index.ts';
import { clientConfig, demolish, type House, type HouseOptions, openHouse } from '../support/broker-house.ts';

const houses: House[] = [];

async function house(options: HouseOptions): Promise<House> {
  const made = await openHouse(options);
  houses.push(made);
  return made;
}

afterEach(async () => {
  for (const each of houses.splice(0)) {
    await each.stop();
    await demolish(each);
  }
});

const number = (value: number): Uint8Array => {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value);
  return encodeContent([{ contentType: 0x8001, value: bytes }]);
};

const valueOf = (content: Uint8Array): number => {
  const [section] = contentSections(content);
  return section ? new DataView(section.value.buffer, section.value.byteOffset).getUint32(0) : Number.NaN;
};

async function take(subscription: ClientSubscription, count: number): Promise<number[]> {
  const values: number[] = [];
  while (values.length < count) {
    const { value } = await subscription.next();
    if (!value) break;
    values.push(valueOf(value.content));
  }
  return values;
}

describe('clients over TCP', () => {
  test('a publish reaches those whose filters match, and nobody else', async () => {
    const { client } = await house({ clients: [clientConfig('a'), clientConfig('b')] });
    const a = await client('a');
    const b = await client('b');
    const garden = await b.subscribe('garden/+/temperature');
    const all = await a.subscribe('#');
    await a.publish('garden/north/temperature', number(1));
    await a.publish('cellar/temperature', number(2));
    await a.publish('garden/south/temperature', number(3), { reliable: false });
    expect(await take(garden, 2)).toEqual([1, 3]);
    expect(await take(all, 3)).toEqual([1, 2, 3]);
    a.close();
    b.close();
  });
});
