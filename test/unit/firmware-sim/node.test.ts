import { describe, expect, test } from 'vitest';
import { find, make, message } from '../../../firmware-sim/codec/long-form.ts';
import type { LineFaults } from '../../../firmware-sim/line/serial-line.ts';
import { busy } from '../../../firmware-sim/node/behaviours/actuator.ts';
import { readingContent } from '../../../firmware-sim/node/behaviours/sensor.ts';
import { type FleetOptions, wireNode } from '../../../firmware-sim/serial-fleet.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';
import { ScriptedGateway } from './scripted-gateway.ts';

const none: FleetOptions = { behaviours: [] };

function setUp(options: FleetOptions = none) {
  const clock = new VirtualClock();
  const wired = wireNode('n', { clock, ...options });
  const gateway = new ScriptedGateway(clock, wired.line);
  const take = (count: number): void => {
    for (let index = 0; index < count; index++) wired.node.take('n/temperature', readingContent);
  };
  const reading = () => wired.node.ledger.topic('n/temperature');
  return { clock, gateway, take, reading, ...wired };
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);

describe('a node on a good line', () => {
  test('connects and hands its readings over in order', () => {
    const { clock, gateway, node, take, reading } = setUp();
    node.start();
    take(5);
    clock.advance(500);
    expect(gateway.sequences('n/0')).toEqual(upTo(5));
    expect([...reading().acknowledged]).toEqual(upTo(5));
    expect(node.settled).toBe(true);
    expect(node.ledger.counts.get('retransmission')).toBeUndefined();
  });

  test('5.3.6: is patient with a gateway that is not there yet', () => {
    const { clock, gateway, node, take } = setUp();
    gateway.answers = false;
    node.start();
    take(3);
    clock.advance(60_000);
    expect(gateway.long.length).toBeGreaterThan(20);
    expect(gateway.long.length).toBeLessThan(40);
    gateway.answers = true;
    clock.advance(5000);
    expect(gateway.sequences('n/0')).toEqual(upTo(3));
    for (const { takenAt } of gateway.taken) expect(Math.abs(takenAt)).toBeLessThan(5);
  });

  test('5.5.6: a command that expired on its way has a number and is not carried out', () => {
    const { clock, gateway, node } = setUp();
    node.start();
    clock.advance(500);
    const publish = (id: number, expiry: number): void =>
      gateway.sayLong(message.publish, [
        make('messageId', [id, 4]),
        make('topic', 'n/set'),
        make('expiry', [expiry, 4]),
      ]);
    publish(1, 0);
    publish(2, 1);
    clock.advance(500);
    expect(gateway.acknowledgedDeliveries).toEqual([1, 2]);
    expect(node.ledger.counts.get('expired')).toBe(1);
    expect(node.ledger.commands).toHaveLength(1);
  });

  test('keeps no more in flight than the line drains in a tenth of a second', () => {
    const { clock, gateway, node, line, take } = setUp({ ...none, baud: 9600 });
    node.start();
    clock.advance(1000);
    gateway.deaf = true;
    const before = line.counts.toGateway.bytes;
    take(100);
    clock.advance(600);
    expect(line.counts.toGateway.bytes - before).toBeLessThanOrEqual(96 + 13);
    gateway.deaf = false;
    clock.advance(10_000);
    expect(gateway.sequences('n/0')).toEqual(upTo(100));
  });

  test.each(['profile', 'connect', 'message', 'never'] as const)('speaks with aliases by %s', (aliasing) => {
    const { clock, gateway, node, take, reading } = setUp({ ...none, aliasing, subscribe: true });
    node.start();
    take(3);
    clock.advance(1000);
    take(3);
    clock.advance(1000);
    expect(gateway.taken.map(({ sequence }) => sequence)).toEqual(upTo(6));
    expect(reading().acknowledged.size).toBe(6);
    const byTopic = gateway.taken.filter(({ topic }) => topic === 'n/temperature').length;
    expect(byTopic).toBe({ profile: 0, connect: 0, message: 3, never: 6 }[aliasing]);
    const types = gateway.long.map(({ type }) => type);
    expect(types.includes(message.alias)).toBe(aliasing === 'message');
    expect(types).toContain(message.subscribe);
    expect(gateway.long.some((long) => find(long, 'aliasEntry') !== undefined)).toBe(
      aliasing === 'connect' || aliasing === 'message',
    );
  });

  test('tells the age of readings that waited', () => {
    const { clock, gateway, node, take } = setUp();
    node.start();
    clock.advance(1000);
    gateway.deaf = true;
    take(1);
    clock.advance(30_000);
    gateway.deaf = false;
    clock.advance(20_000);
    expect(gateway.taken).toHaveLength(1);
    expect(Math.abs((gateway.taken[0]?.takenAt ?? 0) - 1000)).toBeLessThan(5);
  });

  test('sends a best-effort reading once, and no more', () => {
    const { clock, gateway, node, reading } = setUp();
    node.start();
    clock.advance(1000);
    node.take('n/temperature', readingContent, false);
    clock.advance(1000);
    expect(gateway.short.filter(({ kind }) => kind === 'publish')).toHaveLength(1);
    expect([...reading().bestEffort]).toEqual([1]);
  });

  test('keeps what is unacknowledged when the outbox is full, and refuses the newest', () => {
    const clock = new VirtualClock();
    const { node } = wireNode('n', { clock, ...none, outboxReadings: 10 });
    node.start();
    for (let index = 0; index < 15; index++) node.take('n/temperature', readingContent);
    expect([...node.ledger.topic('n/temperature').overflowed]).toEqual([11, 12, 13, 14, 15]);
    expect(node.ledger.sums.waiting).toBe(10);
  });
});

describe('a node on a bad line', () => {
  const faults: [string, LineFaults][] = [
    ['a tenth of the frames damaged', { corrupt: 0.1 }],
    ['a third of the frames damaged', { corrupt: 0.33 }],
    ['one bit in 500 bytes turned', { flip: 0.002 }],
    ['one byte in 200 lost', { drop: 0.005 }],
  ];
  test.each(faults)('hands over every reading once and in order: %s', (_, faults) => {
    const { clock, gateway, node, reading } = setUp({ faults, intervalMs: 100, seed: 7 });
    node.start();
    clock.advance(60_000);
    node.stop();
    const { made, acknowledged } = reading();
    const taken = gateway.sequences('n/0');
    expect(taken).toEqual(upTo(taken.length));
    expect(acknowledged.size).toBeGreaterThan(made * 0.9);
    expect(taken.length).toBeGreaterThanOrEqual(acknowledged.size);
    expect(node.ledger.counts.get('retransmission')).toBeGreaterThan(0);
    expect(node.ledger.counts.get('bad-frame')).toBeGreaterThan(0);
  });

  test('takes each command once, in order, and answers it', () => {
    const { clock, gateway, node } = setUp({ faults: { corrupt: 0.2 }, behaviours: ['actuator'], seed: 3 });
    node.start();
    clock.advance(10_000);
    for (const command of upTo(300)) {
      gateway.deliver(command);
      clock.advance(100);
    }
    clock.advance(30_000);
    expect(node.ledger.commands.map(({ number }) => number)).toEqual(upTo(300));
    expect(gateway.sequences('n/1')).toEqual(upTo(300));
  });

  test('goes on after a cut, from where it was', () => {
    const { clock, gateway, node, line, reading } = setUp({ behaviours: ['sensor'], intervalMs: 100 });
    node.start();
    clock.advance(5000);
    line.cut();
    clock.advance(60_000);
    expect(node.phase).toBe('resuming');
    line.restore();
    clock.advance(20_000);
    node.stop();
    expect(gateway.session?.number).toBe(1);
    const taken = gateway.sequences('n/0');
    expect(taken).toEqual(upTo(taken.length));
    expect(reading().made - taken.length).toBeLessThan(5);
  });

  test('finds its frames again after junk on the line', () => {
    const { clock, gateway, node, reading } = setUp({
      behaviours: ['sensor', 'corruptor'],
      intervalMs: 100,
    });
    node.start();
    clock.advance(60_000);
    expect(gateway.sequences('n/0')).toEqual(upTo(gateway.sequences('n/0').length));
    expect(reading().acknowledged.size).toBeGreaterThan(580);
  });

  test.each([
    ['CONNECT_TOKEN', false],
    ['RESUME', true],
  ])('its %s is heard through noise that never pauses', (_, known) => {
    const { clock, gateway, node } = setUp();
    gateway.answers = known;
    node.start();
    clock.advance(500);
    node.stop();
    gateway.session = undefined;
    gateway.answers = false;
    node.start();
    const said = (): number => gateway.long.length + gateway.short.length;
    const before = said();
    for (let ms = 0; ms < 10_000; ms += 5) {
      node.junk(Uint8Array.of(7, 7, 7));
      clock.advance(5);
    }
    expect(said() - before).toBeGreaterThanOrEqual(4);
  });
});

describe('RESUME and RESET', () => {
  test('6.5.3: a gateway that comes back says RESUME, is answered, and gets the rest', () => {
    const { clock, gateway, node, take } = setUp();
    node.start();
    clock.advance(1000);
    gateway.deaf = true;
    take(5);
    clock.advance(3000);
    gateway.deaf = false;
    gateway.resume();
    clock.advance(50);
    expect(gateway.short.filter(({ kind }) => kind === 'resume')).toHaveLength(1);
    expect(gateway.sequences('n/0')).toEqual(upTo(5));
  });

  test('6.5.2: RESUME counts as an ACK', () => {
    const { clock, gateway, node, line, take, reading } = setUp();
    node.start();
    clock.advance(1000);
    take(3);
    clock.advance(1);
    line.cut();
    clock.advance(1);
    line.restore();
    if (gateway.session) gateway.session.received = 3;
    gateway.resume();
    clock.advance(100);
    expect([...reading().acknowledged]).toEqual([1, 2, 3]);
    expect(gateway.taken).toEqual([]);
  });

  test.each([
    ['RESUME', (gateway: ScriptedGateway) => gateway.resume()],
    [
      'an ACK in the long form',
      (gateway: ScriptedGateway) => gateway.sayLong(message.ack, [make('messageId', [1, 4])]),
    ],
    ['CONNACK_RESUMED', (gateway: ScriptedGateway) => gateway.say({ kind: 'reset' })],
  ])('6.5.6: a gateway that has lost state, as its %s shows, gets a new session', (_, show) => {
    const { clock, gateway, node, take, reading } = setUp();
    node.start();
    take(3);
    clock.advance(500);
    if (!gateway.session) throw new Error('no session');
    gateway.session.received = 1;
    gateway.deaf = true;
    take(2);
    show(gateway);
    gateway.deaf = false;
    clock.advance(3000);
    const goodbyes = gateway.long.filter(({ type }) => type === message.disconnect);
    expect(goodbyes.map((long) => find(long, 'reason'))).toEqual([Uint8Array.of(0, 13)]);
    expect(node.ledger.counts.get('gateway-lost-state')).toBe(1);
    expect(gateway.taken.map(({ session, sequence }) => [session, sequence])).toEqual([
      ...[1, 2, 3].map((sequence) => [1, sequence]),
      ...[4, 5].map((sequence) => [2, sequence]),
    ]);
    expect([...reading().acknowledged]).toEqual(upTo(5));
  });

  test('6.5.2: each RESUME is answered, however soon it follows another, and an answer never', () => {
    const { clock, gateway, node } = setUp();
    const answers = (): boolean[] =>
      gateway.short.flatMap((frame) => (frame.kind === 'resume' ? [frame.answer] : []));
    node.start();
    clock.advance(1000);
    for (let round = 0; round < 3; round++) gateway.resume();
    clock.advance(10_000);
    expect(answers()).toEqual([true, true, true]);
    gateway.resume(true);
    clock.advance(10_000);
    expect(answers()).toHaveLength(3);
  });

  test('a reboot that keeps everything begins with RESUME and loses nothing', () => {
    const { clock, gateway, node, take, reading } = setUp();
    node.start();
    clock.advance(1000);
    gateway.deaf = true;
    take(5);
    clock.advance(100);
    node.reboot('all');
    gateway.deaf = false;
    clock.advance(3000);
    expect(gateway.short.some(({ kind }) => kind === 'resume')).toBe(true);
    expect(gateway.session?.number).toBe(1);
    expect(gateway.sequences('n/0')).toEqual(upTo(5));
    expect(reading().acknowledged.size).toBe(5);
  });

  test('a reboot that keeps nothing begins with CONNECT_TOKEN, and the ledger says what is gone', () => {
    const { clock, gateway, node, take, reading } = setUp();
    node.start();
    clock.advance(1000);
    gateway.deaf = true;
    take(5);
    clock.advance(100);
    node.reboot('nothing');
    gateway.deaf = false;
    take(2);
    clock.advance(3000);
    expect(gateway.session?.number).toBe(2);
    expect([...reading().forgotten]).toEqual(upTo(5));
    expect(gateway.sequences('n/0')).toEqual([6, 7]);
  });

  test('after RESET and SESSION_EXPIRED with MESSAGE_ID only what never arrived is sent again', () => {
    const { clock, gateway, node, take, line, reading } = setUp();
    node.start();
    clock.advance(1000);
    take(4);
    clock.advance(1000);
    gateway.deaf = true;
    take(6);
    clock.advance(30);
    // Two more had arrived when the gateway crashed; their ACK was lost with it.
    gateway.remembered = 6;
    gateway.session = undefined;
    gateway.deaf = false;
    clock.advance(10_000);
    expect(gateway.session).toMatchObject({ number: 2 });
    expect(gateway.sequences('n/0')).toEqual([1, 2, 3, 4, 7, 8, 9, 10]);
    expect(gateway.taken.filter(({ session }) => session === 2).map(({ id }) => id)).toEqual([1, 2, 3, 4]);
    expect(reading().acknowledged.size).toBe(10);
    expect(line.counts.toNode.frames).toBeGreaterThan(0);
  });

  test('after SESSION_EXPIRED without MESSAGE_ID everything unacknowledged is sent again', () => {
    const { clock, gateway, node, take } = setUp();
    node.start();
    clock.advance(1000);
    gateway.deaf = true;
    take(6);
    clock.advance(30);
    gateway.session = undefined;
    gateway.deaf = false;
    clock.advance(10_000);
    expect(gateway.sequences('n/0')).toEqual(upTo(6));
  });

  test('RESET is answered with CONNECT_RESUME where the session stands, which then goes on', () => {
    const { clock, gateway, node, take } = setUp();
    node.start();
    clock.advance(1000);
    gateway.say({ kind: 'reset' });
    clock.advance(100);
    take(2);
    clock.advance(1000);
    expect(gateway.long.map(({ type }) => type)).toEqual([message.connectToken, message.connectResume]);
    expect(gateway.session?.number).toBe(1);
    expect(gateway.sequences('n/0')).toEqual([1, 2]);
  });

  test('6.5.4: a storm of RESET brings no more than one CONNECT a second', () => {
    const { clock, gateway, node } = setUp();
    node.start();
    clock.advance(1000);
    for (let index = 0; index < 100; index++) {
      gateway.say({ kind: 'reset' });
      clock.advance(100);
    }
    expect(gateway.long.length).toBeLessThanOrEqual(12);
  });

  test('silence for one and a half keep-alives brings a RESUME', () => {
    const { clock, gateway, node, line } = setUp();
    node.start();
    clock.advance(20_000);
    expect(gateway.short.filter(({ kind }) => kind === 'ping').length).toBeGreaterThan(1);
    line.cut();
    clock.advance(20_000);
    expect(node.phase).toBe('resuming');
  });

  test('a DISCONNECT that ends the session lets the node ask what had arrived', () => {
    const { clock, gateway, node, take } = setUp();
    node.start();
    clock.advance(1000);
    gateway.deaf = true;
    take(3);
    clock.advance(20);
    gateway.session = undefined;
    gateway.remembered = 2;
    gateway.sayLong(message.disconnect, [make('reason', [1, 2])]);
    gateway.deaf = false;
    clock.advance(5000);
    expect(gateway.sequences('n/0')).toEqual([3]);
  });

  test('a node that says DISCONNECT begins a new session when it starts again, with what waited', () => {
    const { clock, gateway, node, take } = setUp();
    node.start();
    clock.advance(1000);
    gateway.deaf = true;
    take(2);
    clock.advance(20);
    node.disconnect();
    clock.advance(1000);
    expect(gateway.long.at(-1)?.type).toBe(message.disconnect);
    gateway.deaf = false;
    node.start();
    clock.advance(1000);
    expect(gateway.session?.number).toBe(2);
    expect(gateway.sequences('n/0')).toEqual([1, 2]);
  });

  test('5.3.6: a CONNACK that comes twice changes nothing', () => {
    const { clock, gateway, node, line, take, reading } = setUp();
    node.start();
    line.cut();
    clock.advance(900);
    line.restore();
    clock.advance(6000);
    take(3);
    clock.advance(1000);
    expect(reading().acknowledged.size).toBe(3);
    expect(gateway.sequences('n/0')).toEqual([1, 2, 3]);
  });

  test('a refused token is tried again every few seconds', () => {
    const { clock, gateway, node } = setUp();
    gateway.answers = false;
    node.start();
    for (let index = 0; index < 10; index++) {
      gateway.sayLong(message.connackTokenError, []);
      clock.advance(5000);
    }
    expect(node.ledger.counts.get('refused')).toBe(10);
    expect(gateway.long.length).toBeLessThanOrEqual(12);
  });

  test('a rejected message counts as received and not as acknowledged', () => {
    const { clock, gateway, node, take, reading } = setUp();
    node.start();
    clock.advance(1000);
    gateway.deaf = true;
    take(2);
    clock.advance(20);
    gateway.sayLong(message.rejected, [make('messageId', [1, 4]), make('reason', [6, 2])]);
    gateway.say({ kind: 'ack', confirmed: false, id8: 2 });
    clock.advance(20);
    expect([...reading().rejected]).toEqual([1]);
    expect([...reading().acknowledged]).toEqual([2]);
  });
});

describe('credit', () => {
  test('credit 0 holds the node, which probes; credit lets it go on', () => {
    const { clock, gateway, node, take } = setUp();
    node.start();
    clock.advance(1000);
    take(1);
    clock.advance(500);
    gateway.credit = 0;
    take(20);
    clock.advance(500);
    const before = gateway.short.length;
    take(5);
    clock.advance(60_000);
    const sent = gateway.short.slice(before);
    const probes = sent.filter((frame) => frame.kind === 'reliable' || frame.kind === 'batch');
    expect(new Set(probes.map(({ id8 }) => id8))).toEqual(new Set([2]));
    expect(probes.length).toBeGreaterThan(3);
    expect(probes.length).toBeLessThan(30);
    expect(gateway.sequences('n/0')).toEqual([1]);
    gateway.credit = 5;
    clock.advance(11_000);
    expect(gateway.sequences('n/0')).toEqual(upTo(26));
  });

  test('a node that is busy grants no credit, and each command arrives once', () => {
    const clock = new VirtualClock();
    const { node, line } = wireNode('n', { clock, behaviours: ['actuator'], extra: [busy(1000)] });
    const gateway = new ScriptedGateway(clock, line);
    node.start();
    clock.advance(500);
    for (const command of [1, 2, 3]) gateway.deliver(command);
    clock.advance(10_000);
    expect(node.ledger.commands.map(({ number }) => number)).toEqual([1, 2, 3]);
    const credits = gateway.short.flatMap((frame) => (frame.kind === 'ack' ? [frame.credit] : []));
    expect(credits).toContain(0);
    expect(credits.at(-1)).toBe(127);
  });
});

describe('sleep', () => {
  test('a node that wakes sends what it took in batches, with their ages and no handshake', () => {
    const { clock, gateway, node, take, reading } = setUp({ ...none, resumeOnWake: false });
    node.start();
    clock.advance(1000);
    node.sleep();
    for (let index = 0; index < 30; index++) {
      take(1);
      clock.advance(60_000);
    }
    node.wake();
    clock.advance(1000);
    expect(gateway.sequences('n/0')).toEqual(upTo(30));
    expect(reading().acknowledged.size).toBe(30);
    const kinds = gateway.short.map(({ kind }) => kind);
    expect(kinds.filter((kind) => kind === 'batch').length).toBeLessThan(4);
    expect(kinds).not.toContain('resume');
    for (const [index, { takenAt }] of gateway.taken.entries())
      expect(Math.abs(takenAt - (1000 + index * 60_000))).toBeLessThan(50);
  });

  test('a node that wakes with RESUME gets the commands that waited', () => {
    const { clock, gateway, node } = setUp({
      behaviours: ['sensor', 'actuator', 'sleepy'],
      intervalMs: 1000,
    });
    node.start();
    clock.advance(3000);
    gateway.deliver(1);
    clock.advance(20_000);
    expect(node.ledger.commands.map(({ number }) => number)).toEqual([1]);
    expect(node.ledger.counts.get('sleep')).toBeGreaterThan(2);
  });
});

test('every reading has exactly one end, whatever happens', () => {
  const { clock, gateway, node, line, reading } = setUp({
    behaviours: ['sensor', 'actuator', 'sleepy', 'rebooter', 'corruptor'],
    intervalMs: 200,
    faults: { corrupt: 0.1 },
    seed: 11,
  });
  node.start();
  for (let round = 0; round < 10; round++) {
    clock.advance(20_000);
    if (round % 3 === 0) line.cut();
    clock.advance(5000);
    line.restore();
  }
  const { made, acknowledged, forgotten } = reading();
  const { waiting } = node.ledger.sums;
  const taken = new Set(gateway.sequences('n/0'));
  expect(taken.size).toBe(gateway.sequences('n/0').length);
  expect(acknowledged.without(forgotten).length).toBe(acknowledged.size);
  expect([...acknowledged].every((sequence) => taken.has(sequence))).toBe(true);
  expect(made).toBe(acknowledged.size + forgotten.size + waiting);
  expect(acknowledged.size).toBeGreaterThan(made / 2);
});

function ledgerOfRun(seed: number): string {
  const { clock, node, line } = setUp({
    behaviours: ['sensor', 'actuator', 'rebooter', 'corruptor'],
    faults: { flip: 0.001, drop: 0.001, corrupt: 0.05 },
    seed,
  });
  node.start();
  clock.advance(60_000);
  return JSON.stringify([node.ledger, line.counts]);
}

test('the same seed gives the same run', () => {
  expect(ledgerOfRun(1)).toBe(ledgerOfRun(1));
  expect(ledgerOfRun(1)).not.toBe(ledgerOfRun(2));
});
