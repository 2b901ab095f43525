import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { make } from '../../../firmware-sim/node-c/make.ts';
import { BUILD_MS, LiveNode, welcome } from '../../support/node-c.ts';
import { requires } from '../../support/requires.ts';

const describe = requires('gcc', 'libc6-dev', 'make', 'flock');

const id8 = (number: number): string => (number % 256).toString(16).padStart(2, '0');
const content = (number: number): string => number.toString(16).padStart(6, '0');

describe('the store of a node in C', () => {
  let node: LiveNode;
  beforeAll(() => {
    make('build/probe');
  }, BUILD_MS);
  beforeEach(async () => {
    node = new LiveNode();
    await node.start();
    await node.in(welcome());
  });
  afterEach(() => node[Symbol.asyncDispose]());

  /** Readings that the gateway acknowledges, from number `first` to `last`. */
  const publish = async (first: number, last: number): Promise<void> => {
    for (let number = first; number <= last; number += 1) {
      expect((await node.take(content(number))).sent).toEqual([`91${id8(number)}${content(number)}`]);
      await node.in(`b0${id8(number)}`);
    }
  };

  test.each([100, 127, 128, 200, 255, 256, 300, 500])(
    '5.2.4: a reset after %i messages of one session neither loses the reading in flight nor uses a number twice',
    async (count) => {
      await publish(1, count);
      await node.take('ffffff');
      expect(await node.reset()).toMatchObject({ state: 'resuming', waiting: 1, sent: ['e0070800'] });
      expect((await node.in(`e10708${id8(count)}`)).sent).toEqual([`91${id8(count + 1)}ffffff`]);
      await node.in(`b0${id8(count + 1)}`);
      expect((await node.take('eeeeee')).sent).toEqual([`91${id8(count + 2)}eeeeee`]);
    },
  );

  test('5.4.3: what was acknowledged before the session began stays so', async () => {
    await publish(1, 10);
    await node.in('d0');
    await node.at(1100);
    await node.in('0012000800000000 01050004 0000000a');
    await node.in(welcome('0a0b'));
    expect(await node.reset()).toMatchObject({ waiting: 0, sent: ['e00a0b00'] });
    await node.in('e10a0b00');
    expect((await node.take('eeeeee')).sent).toEqual(['9101eeeeee']);
  });

  test('readings that waited behind one of best effort that grew old all come back', async () => {
    await node.sleep();
    await node.take('01', { alias: 1, reliable: false });
    await node.take('02', { alias: 2 });
    await node.at(2000);
    await node.in('b10001');
    // The old one is stored after the other, and goes before it; credit lets only one go.
    expect((await node.wake()).sent).toEqual(['a10101d00f01']);
    await node.in('b10100');
    for (let index = 0; index < 63; index += 1) expect((await node.take(content(index))).result).toBe('ok');
    expect((await node.take('ff')).result).toBe('full');
    await node.reset();
    const { sent, waiting } = await node.in('e1070801');
    expect(waiting).toBe(64);
    expect(sent.at(-1)).toMatch(new RegExp(`${content(62)}$`, 'v'));
  });

  test('5.3.6: commands that are numbered on in a session whose CONNACK_SUCCESS comes again are not forgotten', async () => {
    await node.in('92010000');
    await node.in(welcome());
    expect((await node.reset()).sent).toEqual(['e0070801']);
  });

  test('of a number from a session long ago nothing is believed', async () => {
    await node.in('92010000');
    for (let session = 1; session <= 256; session += 1) {
      await node.in('d0');
      await node.at(2000 * session);
      await node.in('0012000000000000');
      await node.in(welcome(session.toString(16).padStart(4, '0')));
    }
    expect((await node.reset()).sent).toEqual(['e0010000']);
  });

  test('6.4.1: after a reset the gateway hears again that commands are taken', async () => {
    await node.busy();
    expect((await node.in('920111')).sent).toEqual(['b10000']);
    await node.reset();
    await node.ready();
    await node.in('e1070800');
    expect((await node.in('920111')).sent).toEqual(['b1017f']);
  });
});
