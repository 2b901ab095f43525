import * as fc from 'fast-check';
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { make } from '../../../firmware-sim/node-c/make.ts';
import { type Answer, BUILD_MS, expired, LiveNode, resumed, welcome } from '../../support/node-c.ts';
import { requires } from '../../support/requires.ts';

const describe = requires('gcc', 'libc6-dev', 'make', 'flock');

const CONNECT_TOKEN = '0001';
const CONNECT_RESUME = '0002';
const DISCONNECT = '007f000000000000';
/** With reason 13. */
const DISCONNECT_STATE_LOST = '007f00080000000001070002000d0000';
/** A reading that fits the profiles of the simulated nodes: u32 and i16. */
const READING = '0000002a07d0';

/** PUBLISH to the topic `set`, with EXPIRY and without content. */
function emptyCommand(id8: string, expiry: string): string {
  return `0022001800000000 01050004 000000${id8} 01060003 73657400 01120004 ${expiry}`;
}

describe('the session of a node in C', () => {
  let node: LiveNode;
  beforeAll(() => {
    make('build/probe');
  }, BUILD_MS);
  beforeEach(async () => {
    node = new LiveNode();
    await node.start();
  });
  afterEach(() => node[Symbol.asyncDispose]());

  test('6.5.1: out of sleep a reading goes with no handshake, and nothing goes but what is asked for', async () => {
    await node.in(welcome());
    await node.sleep();
    await node.at(60_000);
    await node.wake();
    expect((await node.take(READING)).sent).toEqual([`9101${READING}`]);
    const acknowledged = await node.in('b001');
    expect(acknowledged).toMatchObject({ told: `acknowledged ${READING}`, sent: [], waiting: 0 });
    expect(await node.sleep()).toMatchObject({ sent: [] });
    await node.at(120_000);
    expect(await node.wake()).toMatchObject({ sent: [] });
    expect(await node.sleep()).toMatchObject({ sent: [] });
    expect(await node.wake(true)).toMatchObject({ sent: ['e0070800'] });
  });

  test('5.3.6: repeats CONNECT_TOKEN about once a second, and keeps what is taken meanwhile', async () => {
    expect((await node.at(500)).sent).toEqual([]);
    const [token = ''] = (await node.at(1100)).sent;
    expect(token.slice(0, 4)).toBe(CONNECT_TOKEN);
    expect((await node.take(READING)).sent).toEqual([]);
    expect(await node.in(welcome())).toMatchObject({ state: 'up', sent: [`9101${READING}`] });
    // Of several CONNACK_SUCCESS the last one holds (5.3.6).
    await node.in(welcome('0a0b'));
    expect((await node.in('e00a0b00')).sent).toContain('e10a0b00');
    expect(await node.in('e0070801')).toMatchObject({ state: 'rejoining' });
  });

  test('5.11.3: waits before the next CONNECT_TOKEN as long as a refusal says', async () => {
    await node.in('0013000800000000 010f0004 00001388');
    expect((await node.at(4900)).sent).toEqual([]);
    expect((await node.at(5400)).sent).toHaveLength(1);
    await node.in('0011000000000000');
    expect((await node.at(14_000)).sent).toEqual([]);
    expect((await node.at(16_000)).sent).toHaveLength(1);
  });

  test('5.6.1: says PING when it has said nothing else for half of the keep-alive', async () => {
    await node.in(welcome('0708', 30_000));
    expect((await node.at(14_000)).sent).toEqual([]);
    expect((await node.at(16_000)).sent).toEqual(['c000']);
    expect((await node.at(17_000)).sent).toEqual([]);
    expect((await node.in('c055')).sent).toEqual(['c155']);
  });

  test('a full queue drops the oldest best-effort reading, and refuses when there is none', async () => {
    // The queue of the probe holds 64.
    for (let index = 0; index < 64; index += 1)
      await node.take(index.toString(16).padStart(2, '0'), { reliable: index % 2 === 0 });
    for (let index = 0; index < 32; index += 1) expect((await node.take('aa')).result).toBe('ok');
    expect((await node.take('bb')).result).toBe('full');
    expect((await node.take('bb', { reliable: false })).result).toBe('full');
    const { sent } = await node.in(welcome());
    const all = sent.map((frame) => frame.slice(8)).join('');
    expect(all).not.toContain('bb');
    expect(all).toContain('3c');
    expect(all).not.toContain('3d');
  });

  test('6.3.2: sends again at the retransmission timer, twice as late each time, and one by one while ACKs come', async () => {
    await node.in(welcome());
    await node.take('01');
    await node.at(20);
    await node.in('b001');
    for (const content of ['02', '03', '04']) await node.take(content);
    const times: number[] = [];
    for (let ms = 21; ms < 2000; ms += 1) {
      const { sent } = await node.at(ms);
      if (sent.length > 0) times.push(ms);
      if (sent.length > 0) expect(sent).toEqual([expect.stringMatching(/^(?:9102|a10201)/v)]);
    }
    const gaps = times.slice(1).map((time, index) => time - (times[index] ?? 0));
    expect(times[0]).toBeLessThan(150);
    for (const [index, gap] of gaps.slice(1).entries()) expect(gap / (gaps[index] ?? 1)).toBeCloseTo(2, 0);
    expect((await node.in('b002')).sent).toEqual([expect.stringMatching(/^a103/v)]);
    expect((await node.in('b003')).sent).toEqual([expect.stringMatching(/^a104/v)]);
    expect(await node.in('b004')).toMatchObject({ sent: [], waiting: 0 });
  });

  test('6.3.2: what goes out of sleep and is lost is sent again after a retransmission time', async () => {
    await node.in(welcome());
    for (const taken of ['before', 'after']) {
      const ms = taken === 'before' ? 10_000 : 50_000;
      await node.sleep();
      await node.at(ms);
      if (taken === 'before') await node.take('01');
      await node.wake();
      if (taken === 'after') await node.take('01');
      expect((await node.at(ms + 900)).sent).toEqual([]);
      expect((await node.at(ms + 1100)).sent).toHaveLength(1);
      await node.in(taken === 'before' ? 'b001' : 'b002');
    }
  });

  test('the tick may wrap: what is lost is sent again, and silence is ended, as before', async () => {
    await node.in(welcome('0708', 30_000));
    const wrap = 2 ** 32 - 0x1_0000;
    await node.sleep();
    await node.at(wrap - 300);
    await node.wake();
    await node.take('01');
    expect((await node.at(wrap + 600)).sent).toEqual([]);
    // 1100 ms old.
    expect((await node.at(wrap + 800)).sent).toEqual(['a10101cc0801']);
    await node.in('b001');
    expect((await node.at(wrap + 15_000)).sent).toEqual([]);
    expect((await node.at(wrap + 17_000)).sent).toEqual(['c000']);
  });

  test('6.3.2: an ACK that repeats twice sends the oldest message again, once', async () => {
    await node.in(welcome());
    for (const content of ['01', '02', '03', '04']) await node.take(content);
    expect((await node.in('b001')).sent).toEqual([]);
    expect((await node.in('b001')).sent).toEqual([]);
    expect((await node.in('b001')).sent).toEqual(['910202']);
    expect((await node.in('b001')).sent).toEqual([]);
    expect(await node.in('b004')).toMatchObject({ sent: [], waiting: 0 });
  });

  test('ACKs of nothing that is in flight change nothing', async () => {
    await node.in(welcome());
    await node.take('01');
    for (const ack of ['b002', 'b0ff', 'b080'])
      expect(await node.in(ack)).toMatchObject({ waiting: 1, told: '' });
  });

  test('6.1.6: readings that aged in sleep go together, each with its age; fresh ones do not', async () => {
    await node.in(welcome());
    await node.sleep();
    for (const [ms, content] of [
      [1000, '0001'],
      [2000, '0002'],
      [2500, '0003'],
    ] as const) {
      await node.at(ms);
      await node.take(content);
    }
    await node.take('ff', { alias: 2 });
    await node.take('ee', { alias: 3, reliable: false });
    await node.at(4000);
    // 3000, 2000 and 1500 ms as varints. The one of best effort, being old, is numbered as well (6.1.6).
    expect((await node.wake()).sent).toEqual([
      'a10103b8170001d00f0002dc0b0003',
      'a20201dc0bff',
      'a30301dc0bee',
    ]);
    await node.in('b003');
    await node.at(5000);
    expect((await node.take('0004')).sent).toEqual(['91040004']);
    expect((await node.take('0005', { reliable: false })).sent).toEqual(['810005']);
  });

  test('6.4.1: is held by credit 0, probes with one message, and goes on with new credit', async () => {
    await node.in(welcome());
    await node.take('01');
    await node.in('b10100');
    expect((await node.take('02', { alias: 2 })).sent).toEqual([]);
    expect((await node.take('03', { alias: 3 })).sent).toEqual([]);
    expect((await node.at(900)).sent).toEqual(['920202']);
    await node.in('b10100');
    expect((await node.at(950)).sent).toEqual([]);
    expect((await node.in('b10201')).sent).toEqual(['930303']);
    expect(await node.in('b1037f')).toMatchObject({ waiting: 0 });
  });

  test('5.1.3, 6.3.1: takes a command once and in order, and says so', async () => {
    await node.in(welcome());
    expect(await node.in('920111')).toMatchObject({ told: 'command alias 2 content 11', sent: ['b001'] });
    expect(await node.in('920111')).toMatchObject({ told: '', sent: ['b001'] });
    expect(await node.in('920333')).toMatchObject({ told: '', sent: ['b001'] });
    expect(await node.in('920222')).toMatchObject({ told: 'command alias 2 content 22', sent: ['b002'] });
    // Older than a second: a batch of one.
    expect(await node.in('a20301 e807 33')).toMatchObject({
      told: 'command alias 2 content 33',
      sent: ['b003'],
    });
    // With options, or with a topic that has no alias: the long form.
    const long = '0022002000000000 01050004 00000004 01060003 73657400 01120004 000003e8 80010001 44000000';
    expect(await node.in(long)).toMatchObject({ told: 'command topic set content 44', sent: ['b004'] });
    expect(await node.in('8255')).toMatchObject({ told: 'command alias 2 content 55', sent: [] });
    // An ALIAS means nothing to it, but has a number.
    const alias = '0060001c00000000 01050004 00000005 011c0010 01160001 09000000 01060001 74000000';
    expect(await node.in(alias)).toMatchObject({ told: '', sent: ['b005'] });
  });

  test('5.5.6: a command that expired on its way has a number and is not carried out', async () => {
    await node.in(welcome());
    expect(await node.in(emptyCommand('01', '00000000'))).toMatchObject({ told: '', sent: ['b001'] });
    // What has something left is a command, also an empty one.
    for (const [id8, expiry] of [
      ['02', '00000001'],
      ['03', '01000000'],
    ] as const)
      expect(await node.in(emptyCommand(id8, expiry))).toMatchObject({
        told: 'command topic set content -',
        sent: [`b0${id8}`],
      });
  });

  test('3.2.3: a section type that it does not know is skipped, also where its low byte is one that it knows', async () => {
    await node.in(welcome());
    const publish =
      '0022002000000000 01050004 00000001 01060003 73657400 02060001 78000000 80010001 44000000';
    expect(await node.in(publish)).toMatchObject({ told: 'command topic set content 44' });
  });

  test('6.4.1: an application that is busy leaves the command with the gateway', async () => {
    await node.in(welcome());
    await node.busy();
    expect(await node.in('920111')).toMatchObject({ told: 'busy alias 2 content 11', sent: ['b10000'] });
    expect((await node.in('920111')).sent).toEqual(['b10000']);
    expect((await node.ready()).sent).toEqual(['b1007f']);
    expect(await node.in('920111')).toMatchObject({ told: 'command alias 2 content 11', sent: ['b1017f'] });
  });

  test('6.5.2: answers each RESUME at once, also just after its own, but no answer, and sends the rest again', async () => {
    await node.in(welcome());
    await node.take('01');
    await node.take('02');
    await node.at(3000);
    const answered = await node.in('e0070801');
    expect(answered.sent[0]).toBe('e1070800');
    expect(answered.sent[1]).toMatch(/^a102/v);
    expect(answered.told).toBe('acknowledged 01');
    await node.sleep();
    await node.at(9000);
    expect((await node.wake(true)).sent).toEqual(['e0070800']);
    const rest = await node.in('e1070801');
    expect(rest.sent).toEqual([expect.stringMatching(/^a102/v)]);
    // An answer for which nobody waits means nothing; the gateway's own question wants one.
    expect((await node.in('e1070801')).sent).toEqual([]);
    expect((await node.in('e0070801')).sent[0]).toBe('e1070800');
    // Repeated until it is answered.
    await node.in('b002');
    await node.sleep();
    await node.at(20_000);
    await node.wake(true);
    const repeated: number[] = [];
    for (let ms = 20_001; ms < 24_000; ms += 1) if ((await node.at(ms)).sent.length > 0) repeated.push(ms);
    expect(repeated.length).toBeGreaterThan(1);
    expect(repeated.length).toBeLessThan(8);
  });

  test('6.5.4: RESET leads to CONNECT_RESUME within about a second, and what had not arrived is sent again', async () => {
    await node.in(welcome());
    await node.in('920111');
    await node.take('01');
    await node.take('02');
    expect(await node.in('d0')).toMatchObject({ state: 'rejoining' });
    await node.in('d0');
    const [resume = ''] = (await node.at(1100)).sent;
    expect(resume.slice(0, 4)).toBe(CONNECT_RESUME);
    expect(resume.slice(16, 32)).toBe('0105000400000001');
    const up = await node.in(resumed(1));
    expect(up).toMatchObject({ state: 'up', told: 'acknowledged 01' });
    expect(up.sent).toEqual([expect.stringMatching(/^(?:9102|a102)/v)]);
  });

  test('5.4.3: after SESSION_EXPIRED only what never arrived goes into the new session, under new numbers', async () => {
    await node.in(welcome());
    for (const content of ['01', '02', '03']) await node.take(content);
    await node.in('d0');
    await node.at(1100);
    expect(await node.in(expired(2))).toMatchObject({
      state: 'connecting',
      told: 'acknowledged 01 acknowledged 02',
    });
    const up = await node.in(welcome('0a0b'));
    expect(up.sent.at(-1)).toMatch(/^(?:910103|a10101.*03$)/v);
    expect((await node.take('04')).sent).toEqual(['910204']);
    expect((await node.in('b002')).told).toBe('acknowledged 03 acknowledged 04');
  });

  test('5.4.3: after SESSION_EXPIRED that says no number everything waiting is sent again', async () => {
    await node.in(welcome());
    await node.take('01');
    await node.in('d0');
    await node.at(1100);
    expect((await node.in(expired())).told).toBe('');
    expect((await node.in(welcome('0a0b'))).sent.at(-1)).toMatch(/^(?:910101|a10101.*01$)/v);
  });

  test.each([
    ['RESUME', 'e0070801'],
    ['CONNACK_RESUMED', resumed(1)],
  ])('6.5.6: connects anew with a gateway that has lost what it acknowledged: %s', async (name, frame) => {
    await node.in(welcome());
    for (const content of ['01', '02', '03']) await node.take(content);
    await node.in('b002');
    if (name === 'CONNACK_RESUMED') {
      await node.in('d0');
      await node.at(1100);
    }
    const { state, sent, waiting } = await node.in(frame);
    expect({ state, waiting }).toEqual({ state: 'connecting', waiting: 1 });
    expect(sent.at(-2)).toBe(DISCONNECT_STATE_LOST);
    expect(sent.at(-1)?.slice(0, 4)).toBe(CONNECT_TOKEN);
    expect((await node.in(welcome('0a0b'))).sent.at(-1)).toMatch(/^(?:910103|a10101.*03$)/v);
  });

  test('6.5.7: notices any loss of up to 255 numbers less those in flight, by the low byte alone', async () => {
    const unnoticed: number[] = [];
    for (let lost = 1; lost <= 256; lost += 1) {
      await node.start();
      await node.in(welcome());
      await node.take('01');
      await node.in('b001');
      for (const content of ['02', '03', '04']) await node.take(content);
      const { state } = await node.in(`e00708${((257 - lost) % 256).toString(16).padStart(2, '0')}`);
      if (state === 'up') unnoticed.push(lost);
    }
    expect(unnoticed).toEqual([253, 254, 255, 256]);
  });

  test('5.7.1: a refused reading is told as such', async () => {
    await node.in(welcome());
    await node.take('01');
    await node.in('0024001000000000 01050004 00000001 01070002 000b0000');
    expect(await node.in('b001')).toMatchObject({ told: 'rejected 01', waiting: 0 });
  });

  test('5.7.3: after DISCONNECT it asks with RESUME', async () => {
    await node.in(welcome());
    expect((await node.in(DISCONNECT)).state).toBe('resuming');
    expect((await node.at(1100)).sent).toEqual(['e0070800']);
    expect((await node.in('d0')).state).toBe('rejoining');
  });

  test('5.3.2: SUBSCRIBE is the first message of each session, until it is acknowledged', async () => {
    await node.start('a/#');
    await node.take('01');
    const up = await node.in(welcome());
    const subscribe = '0020001000000000 01050004 00000001 01060003 612f2300'.replaceAll(' ', '');
    expect(up.sent).toEqual([subscribe, '910201']);
    expect((await node.at(1100)).sent[0]).toBe(subscribe);
    expect((await node.in('b001')).sent).toEqual([expect.stringMatching(/^a102/v)]);
    expect(await node.in('b002')).toMatchObject({ waiting: 0 });
    expect((await node.at(9000)).sent).toEqual([]);
    await node.take('02');
    await node.in('d0');
    await node.at(10_100);
    await node.in(expired(2));
    const anew = await node.in(welcome('0a0b'));
    expect(anew.sent.at(-2)).toBe(subscribe);
    expect(anew.sent.at(-1)).toMatch(/^(?:910202|a10201.*02$)/v);
  });

  test('a reading is sent again also where a SUBSCRIBE waits whose acknowledgement cannot be told', async () => {
    await node.start('a/#');
    await node.in(welcome());
    await node.in('b001');
    for (let number = 2; number <= 256; number += 1) {
      const id8 = (number % 256).toString(16).padStart(2, '0');
      await node.take('01');
      await node.in(`b0${id8}`);
    }
    await node.reset();
    // 256 messages have arrived: the low byte is that of none.
    await node.in('e1070800');
    await node.take('02');
    expect((await node.at(3000)).sent).toEqual([
      expect.stringMatching(/^0020/v),
      expect.stringMatching(/^a101.*02$/v),
    ]);
    expect(await node.in('b001')).toMatchObject({ waiting: 0 });
  });

  test('6.6.1: a command in fragments is joined; a gap discards the piece', async () => {
    await node.in(welcome());
    expect((await node.in('f00700 9201')).sent).toEqual([]);
    expect((await node.in('f00701 aabb')).sent).toEqual([]);
    expect(await node.in('f10702 cc')).toMatchObject({
      told: 'command alias 2 content aabbcc',
      sent: ['b001'],
    });
    await node.in('f00800 9202');
    expect(await node.in('f10802 cc')).toMatchObject({ told: '' });
    await node.in('f00900 9202');
    expect(await node.in('920244')).toMatchObject({ told: 'command alias 2 content 44' });
    expect(await node.in('f10a01 dd')).toMatchObject({ told: '' });
  });

  test('5.2.4: a reset loses neither the session nor a reading, and no number comes to mean another message', async () => {
    await node.in(welcome());
    await node.in('920111');
    await node.take('01');
    await node.take('02');
    await node.sleep();
    await node.take('03');
    const reset = await node.reset();
    expect(reset).toMatchObject({ state: 'resuming', waiting: 3, sent: ['e0070801'] });
    const up = await node.in('e1070801');
    expect(up.told).toBe('acknowledged 01');
    expect(up.sent).toEqual([
      expect.stringMatching(/^(?:910202|a10201.*02$)/v),
      expect.stringMatching(/^(?:910303|a10301.*03$)/v),
    ]);
    expect(await node.in('920111')).toMatchObject({ told: '', sent: ['b1017f'] });
  });

  test('a reset in the middle of a write costs the record that was being written, and no other', async () => {
    await node.in(welcome());
    for (const content of ['01', '02', '03']) await node.take(content);
    // Records stand behind two sessions of 30 bytes and eight numbers of 8, each 11 + 32 + 4 bytes; the first one is number 1.
    await node.corrupt(60 + 64 + 3 * 47 + 12);
    expect(await node.reset()).toMatchObject({ state: 'resuming', waiting: 2 });
    await node.corrupt(30 + 5);
    // Without its session it connects anew, with the readings.
    expect(await node.reset()).toMatchObject({ state: 'connecting', waiting: 2 });
  });
});

/** A gateway as small as can be, which keeps every message by its number, and complains when one comes to mean another. */
class ModelGateway {
  readonly arrived: string[] = [];
  readonly complaints: string[] = [];
  readonly #messages = new Map<number, string>();
  /** What sessions that are over had received. */
  readonly #ended = new Map<string, number>();
  #received = 0;
  #session = 1;
  #open = false;

  /** Ends the session, and remembers how far it came (clause 5.4.3). */
  end(): void {
    this.#ended.set(this.#id, this.#received);
    this.#session += 1;
    this.#received = 0;
    this.#messages.clear();
    this.#open = false;
  }

  /** What it answers to a frame. */
  hear(frame: string): string[] {
    if (frame.startsWith(CONNECT_TOKEN)) {
      if (this.#open) this.end();
      this.#open = true;
      return [welcome(this.#id)];
    }
    if (frame.startsWith(CONNECT_RESUME)) {
      const id = frame.slice(52, 56);
      return [this.#open && id === this.#id ? resumed(this.#received) : expired(this.#ended.get(id))];
    }
    if (frame.startsWith('e0'))
      return this.#open && frame.slice(2, 6) === this.#id ? [`e1${this.#id}${this.#id8}`] : ['d0'];
    if (!frame.startsWith('9') && !frame.startsWith('a')) return [];
    if (!this.#open) return ['d0'];
    const id =
      this.#received + 1 + (((Number.parseInt(frame.slice(2, 4), 16) - this.#received - 1) << 24) >> 24);
    const contents = contentsOf(frame).join(' ');
    if ((this.#messages.get(id) ?? contents) !== contents)
      this.complaints.push(`${id} was ${String(this.#messages.get(id))} and is ${contents}`);
    this.#messages.set(id, contents);
    if (id === this.#received + 1) {
      this.#received = id;
      this.arrived.push(...contentsOf(frame));
    }
    return [`b0${this.#id8}`];
  }

  get #id(): string {
    return this.#session.toString(16).padStart(4, '0');
  }

  get #id8(): string {
    return (this.#received % 256).toString(16).padStart(2, '0');
  }
}

/** Contents of a reliable PUBLISH or a batch, two bytes each. */
function contentsOf(frame: string): string[] {
  if (frame.startsWith('9')) return [frame.slice(4)];
  const contents: string[] = [];
  let at = 6;
  while (at < frame.length) {
    while (Number.parseInt(frame.slice(at, at + 2), 16) & 0x80) at += 2;
    contents.push(frame.slice(at + 2, at + 6));
    at += 6;
  }
  return contents;
}

describe('a node in C with a store, on a line that loses frames', () => {
  beforeAll(() => {
    make('build/probe');
  }, BUILD_MS);

  test('5.1.3, 5.2.4: delivers each reading that it took once and in order, whatever is reset, lost, put to sleep or torn in the middle of a write', async () => {
    const step = fc.oneof(
      { weight: 6, arbitrary: fc.constant('take' as const) },
      { weight: 2, arbitrary: fc.constantFrom('sleep' as const, 'wake' as const, 'resume' as const) },
      { weight: 2, arbitrary: fc.constant('reset' as const) },
      { weight: 1, arbitrary: fc.constant('end' as const) },
      { weight: 1, arbitrary: fc.nat({ max: 120 }).map((bytes) => ({ tear: bytes })) },
      { weight: 4, arbitrary: fc.integer({ min: 1, max: 3000 }) },
    );
    const losses = fc.infiniteStream(fc.nat({ max: 9 }));
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 60 }),
        losses,
        fc.nat({ max: 7 }),
        fc.constantFrom(0, 126, 250),
        async (steps, dice, bad, age) => {
          await using node = new LiveNode();
          const gateway = new ModelGateway();
          const taken: string[] = [];
          /** The power was lost before it could be told whether they were taken. */
          const uncertain = new Set<string>();
          const expected = (): string[] =>
            taken.filter((content) => !uncertain.has(content) || gateway.arrived.includes(content));
          let ms = 0;
          const exchange = async ({ sent }: Answer, lossy: boolean): Promise<void> => {
            for (const frame of sent) {
              if (lossy && dice.next().value < bad) continue;
              for (const answer of gateway.hear(frame)) {
                if (lossy && dice.next().value < bad) continue;
                await exchange(await node.in(answer), lossy);
              }
            }
          };
          const take = async (lossy: boolean): Promise<void> => {
            const content = (taken.length + 1).toString(16).padStart(4, '0');
            const answer = await node.take(content);
            taken.push(content);
            if (answer.result !== 'ok') uncertain.add(content);
            await exchange(answer, lossy);
          };
          await exchange(await node.start(), age === 0);
          // The session has gone on for so long.
          for (let reading = 0; reading < age; reading += 1) await take(false);
          for (const what of steps) {
            if (typeof what === 'object') await node.tear(what.tear);
            else if (typeof what === 'number') await exchange(await node.at((ms += what)), true);
            else if (what === 'take') await take(true);
            else if (what === 'end') gateway.end();
            else if (what === 'sleep') await exchange(await node.sleep(), true);
            else if (what === 'reset') await exchange(await node.reset(), true);
            else await exchange(await node.wake(what === 'resume'), true);
          }
          await exchange(await node.wake(), false);
          for (let round = 0; round < 200 && expected().length > gateway.arrived.length; round += 1)
            await exchange(await node.at((ms += 200)), false);
          expect(gateway.complaints).toEqual([]);
          expect(gateway.arrived).toEqual(expected());
        },
      ),
      { numRuns: 60 },
    );
  });
});
