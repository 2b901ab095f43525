import { describe, expect, test } from 'vitest';
import {
  type CoapMessage,
  code,
  decodeCoap,
  empty,
  encodeCoap,
  option,
  optionUint,
  shortUint,
} from '../../../firmware-sim/coap/codec.ts';
import type { DatagramPort } from '../../../firmware-sim/coap/datagram-port.ts';
import { coapDevice, type CoapOptions } from '../../../firmware-sim/coap-fleet.ts';
import { toUint, uint } from '../../../firmware-sim/codec/bytes.ts';
import { Random } from '../../../firmware-sim/random.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

const DELAY_MS = 5;
const nothing = new Uint8Array();

interface Posted {
  readonly path: string;
  readonly id: number;
  readonly age: number;
  readonly sequence: number;
  readonly type: CoapMessage['type'];
}

/** A CoAP server as RFC 7252 has it and no more than the tests need; the datagrams between may be lost or come twice. */
class Server implements DatagramPort {
  readonly posted: Posted[] = [];
  readonly heard: CoapMessage[] = [];
  /** What it answers to a POST, and how. */
  code = code(2, 4);
  separate = false;
  silent = false;
  loss = 0;
  duplication = 0;
  observer: Uint8Array | undefined;
  #listener: (bytes: Uint8Array) => void = () => undefined;
  #messageId = 0;
  #observe = 10;
  readonly #answers = new Map<number, CoapMessage>();
  readonly #random = new Random(5);
  readonly #clock: VirtualClock;

  constructor(clock: VirtualClock) {
    this.#clock = clock;
  }

  send(bytes: Uint8Array): void {
    this.#carry(() => this.#hear(decodeCoap(bytes)));
  }

  onMessage(listener: (bytes: Uint8Array) => void): void {
    this.#listener = listener;
  }

  close(): void {
    this.silent = true;
  }

  notify(command: number, type: 'CON' | 'NON' = 'CON', observe = ++this.#observe): void {
    if (!this.observer) return;
    const options = [{ number: option.observe, value: shortUint(observe) }];
    const message = { code: code(2, 5), token: this.observer, options, payload: uint(command, 4) };
    this.say({ type, messageId: ++this.#messageId, ...message });
  }

  say(message: CoapMessage): void {
    this.#carry(() => this.#listener(encodeCoap(message)));
  }

  #carry(arrive: () => void): void {
    if (this.#random.chance(this.loss)) return;
    this.#clock.after(DELAY_MS, arrive);
    if (this.#random.chance(this.duplication)) this.#clock.after(3 * DELAY_MS, arrive);
  }

  #hear(message: CoapMessage): void {
    this.heard.push(message);
    if (this.silent || message.code === 0) return;
    const again = this.#answers.get(message.messageId);
    if (again) return this.say(again);
    const answer = message.code === 1 ? this.#get(message) : this.#post(message);
    if (message.type === 'NON') return undefined;
    const { messageId } = message;
    const first = this.separate ? empty('ACK', messageId) : { ...answer, type: 'ACK' as const, messageId };
    this.#answers.set(messageId, first);
    this.say(first);
    if (this.separate)
      this.#clock.after(1000, () => this.say({ ...answer, type: 'CON', messageId: ++this.#messageId }));
    return undefined;
  }

  #get(message: CoapMessage): Omit<CoapMessage, 'type' | 'messageId'> {
    this.observer = message.token;
    const options = [{ number: option.observe, value: shortUint(++this.#observe) }];
    return { code: code(2, 5), token: message.token, options, payload: nothing };
  }

  #post(message: CoapMessage): Omit<CoapMessage, 'type' | 'messageId'> {
    const texts = (number: number): string[] =>
      message.options
        .filter((one) => one.number === number)
        .map(({ value }) => Buffer.from(value).toString());
    const query = new URLSearchParams(texts(option.uriQuery).join('&'));
    if (this.code >> 5 === 2)
      this.posted.push({
        path: texts(option.uriPath).join('/'),
        id: Number(query.get('id')),
        age: Number(query.get('age') ?? 0),
        sequence: toUint(message.payload.subarray(0, 4)),
        type: message.type,
      });
    return { code: this.code, token: message.token, options: [], payload: nothing };
  }
}

function setUp(options: CoapOptions = {}) {
  const clock = new VirtualClock();
  const server = new Server(clock);
  const device = coapDevice('c', server, { clock, ...options });
  const reading = () => device.ledger.topic('c/temperature');
  return { clock, server, device, reading };
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);

describe('a CoAP device', () => {
  test('posts its readings confirmably, one at a time and in order, named and aged', () => {
    const { clock, server, device, reading } = setUp();
    device.start();
    clock.advance(20_000);
    const made = reading().made;
    expect(server.posted.map(({ sequence }) => sequence)).toEqual(upTo(made));
    expect(server.posted.map(({ id }) => id)).toEqual(upTo(made));
    expect(server.posted.every(({ path, type }) => path === 'c/temperature' && type === 'CON')).toBe(true);
    expect(reading().acknowledged.size).toBe(made);
    expect(device.retransmissions).toBe(0);
  });

  test('takes a separate response, acknowledges it, and waits for it', () => {
    const { clock, server, device, reading } = setUp({ intervalMs: 5000 });
    server.separate = true;
    device.start();
    clock.advance(30_000);
    expect(reading().acknowledged.size).toBeGreaterThan(3);
    expect(server.posted.length - reading().acknowledged.size).toBeLessThanOrEqual(1);
    expect(server.heard.filter(({ type, code }) => type === 'ACK' && code === 0).length).toBeGreaterThan(3);
  });

  test('repeats what is lost, and every reading arrives once', () => {
    const { clock, server, device, reading } = setUp({ seed: 4 });
    server.loss = 0.3;
    server.duplication = 0.3;
    device.start();
    clock.advance(120_000);
    server.loss = 0;
    device.stop();
    device.start();
    clock.advance(200_000);
    const named = new Map(server.posted.map(({ id, sequence }) => [id, sequence]));
    expect([...named.values()].toSorted((one, other) => one - other)).toEqual(upTo(named.size));
    expect(reading().acknowledged.size).toBeGreaterThan(200);
    expect(device.retransmissions).toBeGreaterThan(10);
  });

  test('keeps its readings while the gateway is away, and tells their age', () => {
    const { clock, server, device } = setUp({ intervalMs: 10_000 });
    server.silent = true;
    device.start();
    clock.advance(300_000);
    server.silent = false;
    clock.advance(60_000);
    expect(server.posted.map(({ sequence }) => sequence)).toEqual(upTo(server.posted.length));
    expect(server.posted.length).toBeGreaterThan(30);
    expect(server.posted[0]?.age).toBeGreaterThan(200_000);
    expect(server.posted.map(({ id }) => id)).toEqual(upTo(server.posted.length));
  });

  test('posts again what the gateway is too busy for, and gives up what it refuses', () => {
    const { clock, server, device, reading } = setUp({ behaviours: [] });
    device.start();
    device.take('c/temperature', (sequence) => uint(sequence, 4));
    server.code = code(5, 3);
    clock.advance(30_000);
    expect(reading().acknowledged.size).toBe(0);
    expect(device.settled).toBe(false);
    server.code = code(4, 3);
    clock.advance(20_000);
    expect([...reading().rejected]).toEqual([1]);
    expect(device.settled).toBe(true);
  });

  test('sends what is best effort without asking for an answer', () => {
    const { clock, server, device, reading } = setUp({ behaviours: [] });
    device.start();
    device.take('c/temperature', (sequence) => uint(sequence, 4), false);
    clock.advance(1000);
    expect(server.posted.map(({ type }) => type)).toEqual(['NON']);
    expect([...reading().bestEffort]).toEqual([1]);
  });

  test('takes each command once and answers it', () => {
    const { clock, server, device } = setUp({ behaviours: ['actuator'] });
    device.start();
    clock.advance(1000);
    server.duplication = 0.5;
    for (const command of upTo(20)) {
      server.notify(command, command % 2 ? 'CON' : 'NON');
      clock.advance(500);
    }
    expect(device.ledger.commands.map(({ number }) => number)).toEqual(upTo(20));
    expect(server.posted.filter(({ path }) => path === 'c/state')).toHaveLength(20);
  });

  test('passes over a notification that was overtaken', () => {
    const { clock, server, device } = setUp({ behaviours: ['actuator'] });
    device.start();
    clock.advance(1000);
    server.notify(2, 'CON', 200);
    clock.advance(100);
    server.notify(1, 'CON', 199);
    clock.advance(100);
    expect(device.ledger.commands.map(({ number }) => number)).toEqual([2]);
    expect(device.ledger.counts.get('stale-notification')).toBe(1);
  });

  test('observes again after a restart of the gateway', () => {
    const { clock, server, device } = setUp({ behaviours: ['actuator'], renewMs: 3000 });
    device.start();
    clock.advance(1000);
    server.notify(1);
    clock.advance(100);
    server.observer = undefined;
    clock.advance(4000);
    server.notify(2);
    clock.advance(100);
    expect(device.ledger.commands.map(({ number }) => number)).toEqual([1, 2]);
  });

  test('resets what it did not ask for', () => {
    const { clock, server, device } = setUp({ behaviours: [] });
    device.start();
    server.observer = Uint8Array.of(9, 9, 9);
    server.notify(1);
    clock.advance(100);
    expect(server.heard.map(({ type }) => type)).toEqual(['RST']);
    expect(device.ledger.commands).toEqual([]);
  });

  test('sends a message with its own transmission parameters', () => {
    const transmission = { ackTimeoutMs: 100, ackRandomFactor: 1, maxRetransmit: 2 };
    const { clock, server, device } = setUp({ behaviours: [], transmission });
    server.silent = true;
    device.start();
    device.take('c/temperature', (sequence) => uint(sequence, 4));
    clock.advance(690);
    expect(server.heard).toHaveLength(3);
    expect(device.ledger.counts.get('no-answer')).toBeUndefined();
    clock.advance(20);
    expect(device.ledger.counts.get('no-answer')).toBe(1);
    expect(optionUint(server.heard[0] ?? empty('CON', 0), option.observe)).toBeUndefined();
  });
});
