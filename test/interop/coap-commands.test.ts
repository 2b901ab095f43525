import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { setTimeout as pause } from 'node:timers/promises';
import { utf8 } from '../../src/base/bytes.ts';
import {
  codeByte,
  type CoapDatagram,
  CoapOption,
  CoapType,
  encodeDatagram,
  parseDatagram,
  uintOf,
  uintOption,
} from '../../src/inlets/coap-datagram.ts';
import { encodeContent } from '../../src/wire/content.ts';
import { CoapGateway, Datagrams, until } from '../support/coap-gateway.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

const nothing = new Uint8Array(0);

/** A device with a socket and nothing else: each test says what it answers. */
class Device {
  readonly datagrams: Datagrams;
  readonly #token: string;
  #messageId = 0;

  private constructor(datagrams: Datagrams, token: string) {
    this.datagrams = datagrams;
    this.#token = token;
  }

  static async open({ port, token }: CoapGateway): Promise<Device> {
    return new Device(await Datagrams.open(port), token);
  }

  /** GET of `node/set`, and the answer to it. */
  async get(observe?: number): Promise<CoapDatagram> {
    const messageId = ++this.#messageId;
    this.datagrams.send(
      encodeDatagram({
        type: CoapType.CON,
        code: codeByte('0.01'),
        messageId,
        token: Uint8Array.of(0xab),
        options: [
          ...(observe === undefined ? [] : [uintOption(CoapOption.OBSERVE, observe)]),
          ...['node', 'set'].map((level) => ({ number: CoapOption.URI_PATH, value: utf8(level) })),
          { number: CoapOption.URI_QUERY, value: utf8(`t=${this.#token}`) },
        ],
        payload: nothing,
      }),
    );
    for (;;) {
      const answer = await this.take();
      if (answer.type === CoapType.ACK && answer.messageId === messageId) return answer;
    }
  }

  /** The next notification that has another Message ID than `last`. */
  async notification(last?: CoapDatagram): Promise<CoapDatagram> {
    for (;;) {
      const datagram = await this.take();
      if (datagram.type === CoapType.CON && datagram.messageId !== last?.messageId) return datagram;
    }
  }

  async take(): Promise<CoapDatagram> {
    return parseDatagram(await this.datagrams.take());
  }

  answer({ messageId }: CoapDatagram, type: CoapType = CoapType.ACK): void {
    const reply = { type, code: 0, messageId, token: nothing, options: [], payload: nothing };
    this.datagrams.send(encodeDatagram(reply));
  }

  /** Acknowledges the next commands and gives their values. */
  async commands(count: number): Promise<number[]> {
    const values: number[] = [];
    for (let last: CoapDatagram | undefined; values.length < count;) {
      last = await this.notification(last);
      values.push(valueOf(last));
      this.answer(last);
    }
    return values;
  }
}

function valueOf({ payload }: CoapDatagram): number {
  return payload[1] ?? Number.NaN;
}

function numberOf({ options }: CoapDatagram): number {
  return uintOf(options.find(({ number }) => number === CoapOption.OBSERVE)?.value ?? nothing);
}

/** By RFC 7641, section 3.4. */
function isNewer(number: number, than: number): boolean {
  const ahead = (number - than + 2 ** 24) % 2 ** 24;
  return ahead > 0 && ahead < 2 ** 23;
}

let gateway: CoapGateway;
let device: Device;

beforeEach(async () => {
  gateway = await CoapGateway.open({}, ['node/set']);
  device = await Device.open(gateway);
});

afterEach(async () => {
  device.datagrams.close();
  await gateway.inlet.close();
});

async function command(...values: readonly number[]): Promise<void> {
  for (const value of values) {
    await gateway.command(encodeContent([{ contentType: 0x8003, value: Uint8Array.of(0, value) }]));
  }
}

const waiting = (): number => gateway.spool.kept('client/node').length;
const observers = (): number => gateway.inlet.describe().detail.observers;

test('10.3: an observation whose token has expired ends with 4.01, and its commands stay on disk', async () => {
  await device.get(0);
  gateway.expireTokens();
  await command(1);
  const refusal = await device.notification();
  device.answer(refusal);
  expect([refusal.code, refusal.token]).toEqual([codeByte('4.01'), Uint8Array.of(0xab)]);
  expect(refusal.options.map(({ number }) => number)).not.toContain(CoapOption.OBSERVE);
  expect([observers(), waiting()]).toEqual([0, 1]);
  expect(gateway.counters.counter('coap_observations_ended', { why: 'unauthorized' }).value).toBe(1);
  expect(gateway.counters.counter('coap_answers', { code: '4.01' }).value).toBe(1);
});

test('10.3: an observation whose token has expired ends without news too', async () => {
  const clock = new VirtualClock();
  const quiet = await CoapGateway.open({}, [], clock);
  const observer = await Device.open(quiet);
  await observer.get(0);
  quiet.expireTokens();
  clock.advance(10_000);
  expect((await observer.notification()).code).toBe(codeByte('4.01'));
  expect(quiet.inlet.describe().detail.observers).toBe(0);
  observer.datagrams.close();
  await quiet.inlet.close();
});

describe('commands that wait on disk', () => {
  test('10.6: come after a registration that is answered without one, once and in order, and are then deleted', async () => {
    await command(1, 2, 3);
    const answer = await device.get(0);
    expect([answer.code, answer.payload.length]).toEqual([codeByte('2.05'), 0]);
    expect(await device.commands(3)).toEqual([1, 2, 3]);
    await command(4, 5);
    expect(await device.commands(2)).toEqual([4, 5]);
    await until(() => waiting() === 0);
    const again = await device.get(0);
    expect(again.payload).toHaveLength(0);
    await pause(100);
    expect(device.datagrams.received).toEqual([]);
  });

  test('are not bounded by the queue of the observer', async () => {
    await device.get(0);
    const values = Array.from({ length: 90 }, (_, index) => index + 1);
    await command(...values);
    expect(await device.commands(90)).toEqual(values);
    expect(gateway.dropped('observer-queue-full')).toBe(0);
  });

  test('10.6: stay when the device refuses the notification, and come with its next registration', async () => {
    await device.get(0);
    await command(1, 2);
    device.answer(await device.notification(), CoapType.RST);
    await until(() => observers() === 0);
    expect([waiting(), gateway.dropped('observer-gone')]).toEqual([2, 0]);
    await device.get(0);
    expect(await device.commands(2)).toEqual([1, 2]);
  });

  test('stay when the device answers nothing any more', async () => {
    await device.get(0);
    await command(1);
    const lost = await device.notification();
    await until(() => observers() === 0);
    await device.get(0);
    const again = await device.notification(lost);
    expect([valueOf(again), waiting()]).toEqual([1, 1]);
  });

  test('of best effort go past the disk, to a device that observes', async () => {
    await device.get(0);
    await gateway.command(encodeContent([{ contentType: 0x8003, value: Uint8Array.of(0, 7) }]), false);
    const notification = await device.take();
    expect([notification.type, valueOf(notification), waiting()]).toEqual([CoapType.NON, 7, 0]);
  });

  test('leave the last value to be read', async () => {
    await command(1);
    expect(valueOf(await device.get())).toBe(1);
  });
});

describe('a registration that is renewed while a command is on its way', () => {
  test('10.6: brings no second copy, and its answer makes the command look no older', async () => {
    const first = await device.get(0);
    await command(1, 2);
    const notification = await device.notification();
    const renewed = await device.get(0);
    expect(isNewer(numberOf(renewed), numberOf(first))).toBe(true);
    expect(isNewer(numberOf(notification), numberOf(renewed))).toBe(true);
    const repeated = await device.take();
    expect(repeated).toEqual(notification);
    device.answer(notification);
    const second = await device.notification(notification);
    expect(valueOf(second)).toBe(2);
    expect(isNewer(numberOf(second), numberOf(notification))).toBe(true);
    device.answer(second);
    await until(() => waiting() === 0);
  });

  test('ends when the command stays unacknowledged', async () => {
    await device.get(0);
    await command(1);
    const lost = await device.notification();
    await device.get(0);
    await until(() => observers() === 0);
    await device.get(0);
    expect(valueOf(await device.notification(lost))).toBe(1);
  });
});

test('10.7: the numbers of notifications grow over observations, and over starts of the gateway', async () => {
  const numbers: number[] = [];
  for (let round = 1; round <= 3; round += 1) {
    numbers.push(numberOf(await device.get(0)));
    await command(round);
    const notification = await device.notification();
    numbers.push(numberOf(notification));
    device.answer(notification);
    await until(() => waiting() === 0);
    await device.get(1);
  }
  await gateway.inlet.close();
  device.datagrams.close();
  gateway = await CoapGateway.open({}, ['node/set']);
  device = await Device.open(gateway);
  numbers.push(numberOf(await device.get(0)));
  const stale = numbers.filter((number, index) => !isNewer(number, numbers[index - 1] ?? number - 1));
  expect([numbers.length, stale]).toEqual([7, []]);
});

test('a gateway that stops waits for the acknowledgement of what is on its way', async () => {
  await device.get(0);
  await command(1, 2);
  const notification = await device.notification();
  const closing = gateway.inlet.close();
  device.answer(notification);
  await closing;
  expect(waiting()).toBe(1);
});

test('a gateway that stops does not wait for a device that is gone', async () => {
  await device.get(0);
  await command(1);
  await gateway.inlet.close();
  expect(waiting()).toBe(1);
});
