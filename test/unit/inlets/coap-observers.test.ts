import { beforeEach, describe, expect, test } from 'vitest';
import { Counters } from '../../../src/base/counters.ts';
import type { Delivery } from '../../../src/broker/ports.ts';
import { Observer, Observers } from '../../../src/inlets/coap-observers.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

const config = { ackTimeoutMs: 2000, observers: 2, observerQueue: 3, observerCheckMs: 60_000 };

let clock: VirtualClock;
let counters: Counters;
let observers: Observers;

beforeEach(() => {
  clock = new VirtualClock();
  counters = new Counters();
  observers = new Observers({ config, clock, counters });
});

const dropped = (reason: string): number => counters.drops('coap', reason).value;
const endings = (why: string): number => counters.counter('coap_observations_ended', { why }).value;

function delivery(topic: string, reliable: boolean): Delivery {
  return {
    reliable,
    publication: {
      topic,
      content: new Uint8Array(0),
      reliable,
      retain: false,
      origin: { clientId: 'cloud' },
      taken: { at: 0 },
    },
  };
}

interface Device {
  /** `CON topic` and `NON topic`, as they were sent; the Message ID of a message is its index plus 1. */
  readonly sent: string[];
  /** The numbers of the notifications, and of the answers to registrations. */
  readonly numbers: number[];
  readonly observer: Observer;
  subscribed: boolean;
  /** Whether what is sent fits. */
  sendable: boolean;
  /** Its token is good. */
  admitted: boolean;
  /** Registers again. */
  register(): void;
  /** Streams of registrations that were ended. */
  ended: number;
}

function observe(peer: string, topic = 'node/set'): Device {
  const sent: string[] = [];
  const numbers: number[] = [];
  const key = `${peer} token`;
  const found = observers.find(key, 'node', topic);
  const observer =
    found ??
    observers.add(
      key,
      (onEnd) =>
        new Observer({ config, clock, counters }, { clientId: 'node', peer, topic, queue: undefined, onEnd }),
    );
  const register = (): void => {
    numbers.push(observer.answerNumber());
    observer.register({
      notifier: {
        notify: ({ code }, number, confirmable) => {
          if (!device.sendable) return undefined;
          numbers.push(number);
          return sent.push(`${confirmable ? 'CON' : 'NON'} ${code}`);
        },
        refuse: ({ code }) => void sent.push(`refused ${code}`),
        end: () => {
          device.ended += 1;
        },
      },
      render: ({ publication }) => (publication.topic === 'unfit' ? undefined : { code: publication.topic }),
      refusal: () => (device.admitted ? undefined : { code: '4.01' }),
    });
  };
  const device: Device = {
    sent,
    numbers,
    observer,
    subscribed: true,
    sendable: true,
    admitted: true,
    register,
    ended: 0,
  };
  register();
  observer.start(() => (device.subscribed = false));
  return device;
}

/** What becomes of a command, once it is known. */
function command(device: Device, topic: string): string[] {
  const outcomes: string[] = [];
  void device.observer.command(delivery(topic, true).publication).then((outcome) => outcomes.push(outcome));
  return outcomes;
}

const turn = (): Promise<void> => Promise.resolve();

describe('reliable notifications', () => {
  test('go one at a time, each after the acknowledgement of the one before', () => {
    const { observer, sent } = observe('a');
    for (const topic of ['1', '2', '3']) observer.deliver(delivery(topic, true));
    expect(sent).toEqual(['CON 1']);
    observers.answered('a', 1, false);
    expect(sent).toEqual(['CON 1', 'CON 2']);
    // Not its number, and not its peer.
    observers.answered('a', 1, false);
    observers.answered('b', 2, false);
    expect(sent).toHaveLength(2);
    observers.answered('a', 2, false);
    expect(sent).toEqual(['CON 1', 'CON 2', 'CON 3']);
  });

  test('beyond the queue are dropped and counted', () => {
    const { observer } = observe('a');
    for (let index = 0; index < 6; index += 1) observer.deliver(delivery('x', true));
    expect(dropped('observer-queue-full')).toBe(6 - 1 - config.observerQueue);
  });

  test('overtake a best-effort one that has to wait', () => {
    const { observer, sent } = observe('a');
    observer.deliver(delivery('1', false));
    observer.deliver(delivery('2', false));
    observer.deliver(delivery('3', true));
    expect(sent).toEqual(['NON 1', 'CON 3']);
    observers.answered('a', 2, false);
    clock.advance(config.ackTimeoutMs);
    expect(sent).toEqual(['NON 1', 'CON 3', 'NON 2']);
  });

  test('that are lost with their observer are counted', () => {
    const { observer } = observe('a');
    for (const topic of ['1', '2']) observer.deliver(delivery(topic, true));
    observer.end('unacknowledged');
    expect(dropped('observer-gone')).toBe(2);
  });
});

describe('commands from the queue on disk', () => {
  test('are settled by the acknowledgement', async () => {
    const device = observe('a');
    const outcomes = command(device, '1');
    await turn();
    expect([device.sent, outcomes]).toEqual([['CON 1'], []]);
    observers.answered('a', 1, false);
    await turn();
    expect(outcomes).toEqual(['acknowledged']);
  });

  test('are not lost with the observation, whatever ends it', async () => {
    const endings: ((observer: Observer) => void)[] = [
      () => observers.answered('a', 1, true),
      (observer) => observer.end('unacknowledged'),
      () => observers.cancel('a token'),
      () => observers.close(),
    ];
    for (const end of endings) {
      const device = observe('a');
      const outcomes = [command(device, '1'), command(device, '2')];
      end(device.observer);
      outcomes.push(command(device, '3'));
      await turn();
      expect(outcomes).toEqual([['gone'], ['gone'], ['gone']]);
    }
    expect(dropped('observer-gone')).toBe(0);
  });

  test('that cannot be sent, or have no representation, are told apart', async () => {
    const device = observe('a');
    const unfit = command(device, 'unfit');
    device.sendable = false;
    const unsent = command(device, '1');
    await turn();
    expect([unfit, unsent]).toEqual([['undeliverable'], ['gone']]);
  });

  test('take no place of what waits here alone', () => {
    const { observer } = observe('a');
    observer.deliver(delivery('0', true));
    void observer.command(delivery('1', true).publication);
    for (let index = 0; index < config.observerQueue; index += 1) observer.deliver(delivery('x', true));
    expect(dropped('observer-queue-full')).toBe(0);
  });
});

describe('a registration that is renewed', () => {
  test('keeps what is on its way, whose acknowledgement still counts', async () => {
    const device = observe('a');
    const outcomes = [command(device, '1'), command(device, '2')];
    device.register();
    expect([device.sent, device.ended, observers.size]).toEqual([['CON 1'], 0, 1]);
    observers.answered('a', 1, false);
    await turn();
    expect([device.sent, device.ended, outcomes]).toEqual([['CON 1', 'CON 2'], 1, [['acknowledged'], []]]);
    observers.answered('a', 2, false);
    device.register();
    expect([device.ended, device.subscribed]).toEqual([2, true]);
  });

  test('is answered with a number that makes nothing on its way look old', () => {
    const device = observe('a');
    device.observer.deliver(delivery('1', true));
    device.observer.deliver(delivery('2', true));
    device.register();
    device.register();
    observers.answered('a', 1, false);
    observers.answered('a', 2, false);
    clock.advance(5000);
    device.register();
    const [answer = 0, first = 0, again = 0, oncemore = 0, second = 0, last = 0] = device.numbers;
    expect(answer < again && again < first && oncemore === again).toBe(true);
    expect(first < second && second < last).toBe(true);
  });
});

describe('best-effort notifications', () => {
  test('are paced, and only the newest waits', () => {
    const { observer, sent } = observe('a');
    for (const topic of ['1', '2', '3']) observer.deliver(delivery(topic, false));
    expect(sent).toEqual(['NON 1']);
    clock.advance(config.ackTimeoutMs - 1);
    expect(sent).toEqual(['NON 1']);
    clock.advance(1);
    expect(sent).toEqual(['NON 1', 'NON 3']);
    expect(dropped('conflated')).toBe(1);
  });

  test('ask for an acknowledgement now and then, so that an observer that is gone is found', () => {
    const { observer, sent } = observe('a');
    clock.advance(config.observerCheckMs);
    observer.deliver(delivery('1', false));
    expect(sent).toEqual(['CON 1']);
    observers.answered('a', 1, false);
    observer.deliver(delivery('2', false));
    expect(sent).toEqual(['CON 1', 'NON 2']);
  });
});

describe('an observation ends', () => {
  test('with a reset', () => {
    const device = observe('a');
    device.observer.deliver(delivery('1', false));
    observers.answered('a', 1, true);
    expect([observers.size, device.subscribed, endings('reset')]).toEqual([0, false, 1]);
  });

  test('when the same key is used for another topic', () => {
    const first = observe('a');
    observe('a', 'node/other');
    expect([observers.size, first.subscribed, endings('replaced')]).toEqual([1, false, 1]);
  });

  test('when there are too many and it was unheard for longest', () => {
    const [first, second] = [observe('a'), observe('b')];
    clock.advance(1000);
    first.observer.deliver(delivery('1', true));
    observers.answered('a', 1, false);
    observe('c');
    expect([first.subscribed, second.subscribed, endings('evicted')]).toEqual([true, false, 1]);
  });

  test('when nothing can be sent', () => {
    const device = observe('a');
    device.sendable = false;
    device.observer.deliver(delivery('1', true));
    expect([observers.size, endings('unsendable')]).toEqual([0, 1]);
  });

  test('10.3: when its token is good no more: with the refusal, and without what it would have been told', async () => {
    const [first, second] = [observe('a'), observe('b')];
    for (const device of [first, second]) device.admitted = false;
    const outcome = command(first, '1');
    await turn();
    expect([first.sent, outcome, first.ended]).toEqual([['refused 4.01'], ['gone'], 1]);
    observers.endRefused();
    expect(second.sent).toEqual(['refused 4.01']);
    expect([first.subscribed, second.subscribed, observers.size]).toEqual([false, false, 0]);
    expect(endings('unauthorized')).toBe(2);
  });

  test('by the client, and of all with the inlet; nothing is sent or timed afterwards', () => {
    const [first, second] = [observe('a'), observe('b')];
    first.observer.deliver(delivery('1', false));
    observers.cancel('a token');
    observers.close();
    for (const { observer } of [first, second]) observer.deliver(delivery('2', true));
    expect([first.sent, second.sent, observers.size]).toEqual([['NON 1'], [], 0]);
    expect(clock.nextIn).toBeUndefined();
  });
});

test('what has no representation is left out', () => {
  const { observer, sent } = observe('a');
  for (const topic of ['unfit', '2']) observer.deliver(delivery(topic, true));
  expect(sent).toEqual(['CON 2']);
});
