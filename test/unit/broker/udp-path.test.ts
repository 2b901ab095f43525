import * as fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { UdpPath } from '../../../src/broker/udp-path.ts';
import type { UdpAddress } from '../../../src/links/udp.ts';
import { DatagramChannel } from '../../../src/wire/datagram-channel.ts';
import { messagesIn, readDatagram } from '../../../src/wire/datagram.ts';
import { decodeMessage, encodeMessage } from '../../../src/wire/long-form.ts';
import type { Message } from '../../../src/wire/message.ts';
import { MessageType } from '../../../src/wire/numbers.ts';
import { publish, settle } from '../../support/peer.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

const SILENCE_MS = 15_000;
const home: UdpAddress = { host: '192.0.2.1', port: 1111 };
const away: UdpAddress = { host: '192.0.2.1', port: 2222 };
const connectionId = Uint8Array.of(0xc0, 0xde);
const key = new Uint8Array(24).fill(9);
const probe: Message = { type: MessageType.UDP_PROBE, timestamp: 0, connectionId };
const delivery = encodeMessage(publish('t', undefined));

/** A path, and the client's end of it as a test holds it. */
class Stage {
  readonly clock = new VirtualClock();
  readonly client = new DatagramChannel({ side: 'client', connectionId, key });
  readonly sent: { readonly message: Message; readonly to: UdpAddress; readonly bytes: number }[] = [];
  readonly received: Message[] = [];
  readonly drops: string[] = [];
  readonly path: UdpPath;
  #echoes = 0;

  constructor(packetsPerKey?: number) {
    const bound = packetsPerKey === undefined ? {} : { packetsPerKey };
    this.path = new UdpPath({
      channel: new DatagramChannel({ side: 'server', connectionId, key, ...bound }),
      clock: this.clock,
      random: { bytes: (length) => new Uint8Array(length).fill((this.#echoes += 1)), fraction: () => 0 },
      silenceMs: SILENCE_MS,
      send: (datagram, to) => {
        const { payload } = this.client.open(readDatagram(datagram));
        for (const frame of messagesIn(payload)) {
          this.sent.push({ message: decodeMessage(frame), to, bytes: datagram.length });
        }
        return true;
      },
      receive: (frame) => this.received.push(decodeMessage(frame)),
      dropped: (reason) => this.drops.push(reason),
    });
  }

  seal(...messages: readonly Message[]): Uint8Array {
    return this.client.seal(Uint8Array.from(messages.flatMap((message) => [...encodeMessage(message)])));
  }

  hear(datagram: Uint8Array, from: UdpAddress): void {
    this.path.heard(readDatagram(datagram), from);
  }

  say(message: Message, from: UdpAddress): void {
    this.hear(this.seal(message), from);
  }

  /** Takes what was sent since the last time. */
  take(): readonly { readonly message: Message; readonly to: UdpAddress; readonly bytes: number }[] {
    return this.sent.splice(0);
  }

  /** Answers the last PING from where it went. */
  pong(from?: UdpAddress): void {
    const last = this.take().at(-1);
    if (last?.message.type !== MessageType.PING) throw new Error('no PING was sent');
    this.say({ type: MessageType.PONG, timestamp: 0, echo: last.message.echo ?? 0 }, from ?? last.to);
  }

  bring(from = home): void {
    this.say(probe, from);
    this.pong();
    this.take();
  }
}

let stage: Stage;
beforeEach(() => {
  stage = new Stage();
});

describe('the server’s side of a UDP path', () => {
  test('8.3.2, 8.3.3, 8.3.4: a probe is answered by a PING no longer than it, and the PONG by UDP_CONFIRM', () => {
    const datagram = stage.seal(probe);
    stage.hear(datagram, home);
    expect(stage.sent).toMatchObject([{ message: { type: MessageType.PING }, to: home }]);
    expect(stage.sent[0]?.bytes).toBeLessThanOrEqual(datagram.length);
    expect(stage.path.up).toBe(false);
    stage.pong();
    expect(stage.take()).toMatchObject([{ message: { type: MessageType.UDP_CONFIRM }, to: home }]);
    expect(stage.path.up).toBe(true);
  });

  test('8.3.3: nothing is delivered before the client has answered', async () => {
    expect(stage.path.offer(delivery)).toBe(false);
    stage.say(probe, home);
    expect(stage.path.offer(delivery)).toBe(false);
    stage.pong();
    stage.take();
    expect(stage.path.offer(delivery)).toBe(true);
    expect(stage.path.offer(delivery)).toBe(true);
    await settle();
    expect(stage.take()).toHaveLength(2);
  });

  test('8.3.4: a PONG with another echo, or from another address, proves nothing', () => {
    stage.say(probe, home);
    stage.say({ type: MessageType.PONG, timestamp: 0, echo: 77 }, home);
    stage.pong(away);
    expect(stage.drops).toEqual(['stale-pong', 'stale-pong']);
    expect(stage.path.up).toBe(false);
  });

  test('8.3.3: a probe that is heard again before its PONG gets the same echo, so that either PONG counts', () => {
    stage.say(probe, home);
    stage.say(probe, home);
    const [first, second] = stage.sent;
    expect(first?.message).toEqual(second?.message);
  });

  test('8.4.3: without a PONG for long enough deliveries go by TCP, until the next one', () => {
    stage.bring();
    stage.clock.advance(SILENCE_MS);
    expect(stage.path.offer(delivery)).toBe(true);
    stage.clock.advance(1);
    stage.say(publish('t', undefined), home);
    expect(stage.path.offer(delivery)).toBe(false);
    stage.say(probe, home);
    stage.pong();
    expect(stage.path.up).toBe(true);
  });

  test('8.3.4: a packet from a new address: what it says counts, the address counts after its PONG', async () => {
    stage.bring();
    stage.say(publish('t', undefined), away);
    expect(stage.received).toHaveLength(1);
    stage.path.offer(delivery);
    await settle();
    const [ping, delivered] = stage.sent;
    expect(ping).toMatchObject({ message: { type: MessageType.PING }, to: away });
    expect(delivered).toMatchObject({ message: { type: MessageType.PUBLISH }, to: home });
    stage.say({ type: MessageType.PONG, timestamp: 0, echo: pingEcho(ping?.message) }, away);
    stage.path.offer(delivery);
    await settle();
    expect(stage.sent.at(-1)).toMatchObject({ message: { type: MessageType.PUBLISH }, to: away });
  });

  test('8.3.3: an older packet that was held up at another address moves nothing', () => {
    stage.bring();
    const old = stage.seal(publish('t', undefined));
    stage.say(publish('t', undefined), home);
    stage.hear(old, away);
    expect(stage.received).toHaveLength(2);
    expect(stage.take()).toEqual([]);
  });

  test('8.5.3: reliable messages and whatever else has no place here are dropped', () => {
    stage.bring();
    stage.say(
      { type: MessageType.SUBSCRIBE, timestamp: 0, messageId: 1, topics: ['#'], bestEffort: false },
      home,
    );
    stage.say({ type: MessageType.DISCONNECT, timestamp: 0 }, home);
    stage.say({ ...probe, connectionId: Uint8Array.of(1, 2) }, home);
    stage.hear(stage.client.seal(Uint8Array.of(0, 0x22, 0, 4)), home);
    expect(stage.drops).toEqual([
      'unexpected-message',
      'unexpected-message',
      'unexpected-message',
      'malformed',
    ]);
    expect(stage.take()).toEqual([]);
  });

  test('8.3.1: a closed path neither hears nor sends', async () => {
    stage.bring();
    stage.path.offer(delivery);
    stage.path.close();
    await settle();
    expect(stage.path.offer(delivery)).toBe(false);
    expect(stage.take()).toEqual([]);
  });

  test('8.2.4: a key that is used up: deliveries go by TCP', async () => {
    stage = new Stage(4);
    stage.bring();
    for (let sent = 2; sent < 4; sent += 1) {
      expect(stage.path.offer(delivery)).toBe(true);
      await settle();
    }
    expect(stage.path.offer(delivery)).toBe(false);
    stage.say(probe, home);
    expect(stage.drops).toEqual(['key-used-up']);
  });

  test('8.3.3: whatever comes from addresses that never answer, they get no more bytes than came from them', () => {
    const from = fc.integer({ min: 1, max: 4 }).map((port) => ({ host: '198.51.100.1', port }));
    const said = fc.constantFrom<Message>(probe, publish('t', undefined), {
      type: MessageType.PING,
      timestamp: 0,
    });
    const step = fc.record({ from, said: fc.array(said, { maxLength: 3 }), again: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        stage = new Stage();
        stage.bring();
        const balance = new Map<number, number>();
        const credit = (port: number, bytes: number): void =>
          void balance.set(port, (balance.get(port) ?? 0) + bytes);
        for (const { from, said, again } of steps) {
          const datagram = stage.seal(...said);
          for (let times = again ? 2 : 1; times > 0; times -= 1) {
            stage.hear(datagram, from);
            credit(from.port, datagram.length);
          }
          stage.path.offer(delivery);
          for (const { to, bytes } of stage.take()) if (to.port !== home.port) credit(to.port, -bytes);
          expect([...balance.values()].every((left) => left >= 0)).toBe(true);
        }
      }),
    );
  });
});

function pingEcho(message: Message | undefined): number {
  return message?.type === MessageType.PING ? (message.echo ?? 0) : 0;
}
