import { describe, expect, test } from 'vitest';
import type { HashikeError } from '../../../src/base/errors.ts';
import {
  type ClientOptions,
  type ClientWatch,
  connect,
  encodeContent,
  type HashikeClient,
} from '../../../src/client/index.ts';
import type { Link } from '../../../src/links/link.ts';
import { MessageType } from '../../../src/wire/numbers.ts';
import { clientConfig } from '../../support/broker-house.ts';
import { MemoryLink } from '../../support/memory-link.ts';
import { publish, ServedBroker, settle, subscribe } from '../../support/peer.ts';

const clients = ['a', 'b', 'c'].map((name) => clientConfig(name));
const content = encodeContent([{ contentType: 0x8001, value: new Uint8Array([7]) }]);

/** A client of a served broker, on its virtual time, whose cable can be pulled. */
class Wired {
  readonly served: ServedBroker;
  readonly links: MemoryLink[] = [];
  /** Nobody answers the dial. */
  away = false;

  constructor(served: ServedBroker) {
    this.served = served;
  }

  async connect(token: string, options: Partial<ClientOptions> = {}): Promise<HashikeClient> {
    const dial = async (): Promise<Link> => {
      if (this.away) throw new Error('nobody is there');
      const [server, client] = MemoryLink.pair();
      this.served.connections.accept(server);
      this.links.push(client);
      return client;
    };
    return connect({ token, clock: this.served.clock, dial, ...options });
  }

  /** Lets time go by, in small steps. */
  async pass(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= 10) await this.served.pass(Math.min(10, left));
  }

  /** Lets time go by until `promise` is settled. */
  async done<T>(promise: Promise<T>): Promise<T> {
    const state = { open: true };
    const stop = (): void => {
      state.open = false;
    };
    promise.then(stop, stop);
    while (state.open) await this.served.pass(1);
    return promise;
  }

  async cut(): Promise<void> {
    this.links.at(-1)?.break();
    await settle();
  }
}

async function wired(options: Partial<Parameters<typeof ServedBroker.open>[0]> = {}): Promise<Wired> {
  return new Wired(await ServedBroker.open({ clients, ...options }));
}

/** Reads all that a watch has to tell, as `+b room`. */
function listen(watch: ClientWatch): readonly string[] {
  const heard: string[] = [];
  void (async () => {
    for await (const { joined, clientId, topic } of watch)
      heard.push(`${joined ? '+' : '-'}${clientId} ${topic}`);
  })();
  return heard;
}

const codeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => '',
    (error: HashikeError) => error.code,
  );

describe('watch', () => {
  test('tells each reader who is there and who comes and goes, however their filters overlap', async () => {
    const house = await wired();
    const { served } = house;
    const watcher = await house.connect('a');
    const b = await served.connected('b');
    await b.peer.say(subscribe(1, ['room/1']));
    const one = listen(await house.done(watcher.watch('room/1')));
    const all = await house.done(watcher.watch('room/+'));
    const heard = listen(all);
    await settle();
    await b.peer.say(subscribe(2, ['room/2']));
    await all.return();
    await b.peer.say({ type: 0x0021, timestamp: 0, messageId: 3, topics: ['room/1', 'room/2'] });
    await settle();
    expect(one).toEqual(['+b room/1', '-b room/1']);
    expect(heard).toEqual(['+b room/1', '+b room/2']);
    await watcher.close();
  });

  test('watching again after the last reader has gone begins anew', async () => {
    const house = await wired();
    const watcher = await house.connect('a');
    const b = await house.served.connected('b');
    await b.peer.say(subscribe(1, ['room']));
    const first = await house.done(watcher.watch('room'));
    expect((await first.next()).value).toMatchObject({ clientId: 'b', joined: true });
    await first.return();
    const second = listen(await house.done(watcher.watch('room')));
    await settle();
    expect(second).toEqual(['+b room']);
    await watcher.close();
  });

  test('tells of no change when the link breaks, and of what happened meanwhile', async () => {
    const house = await wired();
    const watcher = await house.connect('a');
    const b = await house.served.connected('b');
    await b.peer.say(subscribe(1, ['room', 'other']));
    const heard = listen(await house.done(watcher.watch('#')));
    await house.cut();
    await b.peer.say({ type: 0x0021, timestamp: 0, messageId: 2, topics: ['other'] });
    await house.pass(300);
    expect(heard.slice(0, 2).toSorted()).toEqual(['+b other', '+b room']);
    expect(heard.slice(2)).toEqual(['-b other']);
    await watcher.close();
  });

  test('in a new session, whoever is not there any more has left, and who stayed is not told of again', async () => {
    const house = await wired();
    const watcher = await house.connect('a', { resumeWindowMs: 1000 });
    const b = await house.served.connected('b');
    await b.peer.say(subscribe(1, ['room/1', 'room/2']));
    const heard = listen(await house.done(watcher.watch('room/+')));
    await settle();
    house.away = true;
    await house.cut();
    await house.pass(1000);
    await b.peer.say(
      { type: 0x0021, timestamp: 0, messageId: 2, topics: ['room/1'] },
      subscribe(3, ['room/3']),
    );
    house.away = false;
    await house.pass(20_000);
    expect(watcher.connected).toBe(true);
    expect(heard.slice(0, 2)).toEqual(['+b room/1', '+b room/2']);
    expect(heard.slice(2).toSorted()).toEqual(['+b room/3', '-b room/1']);
    await watcher.close();
  });

  test('rejects what the token does not allow', async () => {
    const house = await wired({ clients: [clientConfig('a', { subscribe: ['mine'] })] });
    const client = await house.connect('a');
    const refused = codeOf(client.watch('other'));
    await house.pass(20);
    expect(await refused).toBe('HSK-3103');
    expect(await codeOf(client.watch('a/#/b'))).toBe('HSK-1202');
    await client.close();
  });
});

describe('questions', () => {
  test('subscribers lists who is present, or says why not', async () => {
    const house = await wired({ clients: [...clients, clientConfig('d', { subscribe: ['room'] })] });
    for (const name of ['b', 'c']) {
      const { peer } = await house.served.connected(name);
      await peer.say(subscribe(1, ['room']));
    }
    const client = await house.connect('d');
    expect(await client.subscribers('room')).toEqual(['b', 'c']);
    expect(await codeOf(client.subscribers('other'))).toBe('HSK-3103');
    expect(await codeOf(client.subscribers('room/+'))).toBe('HSK-1201');
    await client.close();
  });

  test('time is that of the server, and says how sure it is', async () => {
    const house = await wired();
    const client = await house.connect('a');
    expect(await client.time()).toEqual({ wall: house.served.clock.wall(), uncertaintyMs: 0 });
    await client.close();
  });

  test('a question that a break has lost is put again; one that nobody answers fails', async () => {
    const house = await wired();
    const client = await house.connect('a', { timeoutMs: 5000 });
    house.links.at(-1)?.break();
    const asked = client.time();
    await settle();
    await house.pass(300);
    expect((await asked).wall).toBeGreaterThan(Date.UTC(2026, 0, 1));
    house.away = true;
    await house.cut();
    const unanswered = codeOf(client.time());
    await house.pass(5000);
    expect(await unanswered).toBe('HSK-3108');
    const open = codeOf(client.subscribers('t'));
    await client.close();
    expect(await open).toBe('HSK-3104');
    expect(await codeOf(client.time())).toBe('HSK-3104');
  });
});

describe('will', () => {
  const will = { topic: 'gone', content, correlation: Uint8Array.of(5) };

  test('is published when the client does not come back in time, and not when it does', async () => {
    const house = await wired();
    const b = await house.served.connected('b', { keepAlive: 0 });
    await b.peer.say(subscribe(1, ['gone']));
    const client = await house.connect('a', { will, resumeWindowMs: 1000 });
    await house.cut();
    await house.pass(900);
    expect(client.connected).toBe(true);
    house.away = true;
    await house.cut();
    await house.pass(990);
    expect(b.peer.heard(MessageType.PUBLISH)).toEqual([]);
    await house.pass(20);
    expect(b.peer.heard(MessageType.PUBLISH)).toMatchObject([
      { topic: 'gone', clientId: 'a', content, correlation: Uint8Array.of(5) },
    ]);
    await client.close();
  });

  test('is looked at before anything is sent', async () => {
    const house = await wired();
    expect(await codeOf(house.connect('a', { will: { topic: 'a/#', content } }))).toBe('HSK-1201');
    expect(house.links).toEqual([]);
  });

  test('is not published when the client says goodbye', async () => {
    const house = await wired();
    const b = await house.served.connected('b', { keepAlive: 0 });
    await b.peer.say(subscribe(1, ['gone']));
    const client = await house.connect('a', { will, resumeWindowMs: 1000 });
    await client.close();
    await house.pass(3000);
    expect(b.peer.heard(MessageType.PUBLISH)).toEqual([]);
  });
});

describe('publish', () => {
  test('5.5.5: retain: later subscribers get it, marked', async () => {
    const house = await wired();
    const client = await house.connect('a');
    await house.done(client.publish('t', content, { retain: true }));
    const subscription = await house.done(client.subscribe('t'));
    expect((await subscription.next()).value).toMatchObject({ topic: 't', retained: true, publisher: 'a' });
    await house.done(client.publish('t', content));
    expect((await subscription.next()).value).toMatchObject({ retained: false });
    await client.close();
  });

  test('confirmed: resolves when the upstream has the message', async () => {
    const house = await wired({ forward: ['up/#'] });
    const client = await house.connect('a', { confirm: true });
    const done: string[] = [];
    const publishing = ['up/1', 'local', 'up/2'].map((topic) =>
      client.publish(topic, content, { confirmed: true }).then(() => done.push(topic)),
    );
    void client.publish('up/3', content).then(() => done.push('acknowledged'));
    await house.pass(50);
    expect(done).toEqual(['acknowledged']);
    const [first, second] = house.served.spool.kept('bridge');
    if (first) house.served.broker.taken(first.publication.origin, 'bridge');
    await house.pass(50);
    expect(done).toEqual(['acknowledged', 'up/1']);
    if (second) house.served.broker.taken(second.publication.origin, 'bridge');
    await house.pass(50);
    expect(done).toEqual(['acknowledged', 'up/1', 'local', 'up/2']);
    await Promise.all(publishing);
    await client.close();
  });

  test('confirmed: is lost with its session after the ACK, and sent again before it', async () => {
    const house = await wired({ forward: ['up/#'] });
    const client = await house.connect('a', { confirm: true, resumeWindowMs: 1000 });
    const acknowledged = codeOf(client.publish('up/1', content, { confirmed: true }));
    await house.pass(50);
    house.away = true;
    await house.cut();
    const waiting = codeOf(client.publish('local', content, { confirmed: true }));
    await house.pass(1000);
    house.away = false;
    await house.pass(20_000);
    expect(await acknowledged).toBe('HSK-3109');
    const [first] = house.served.spool.kept('bridge');
    if (first) house.served.broker.taken(first.publication.origin, 'bridge');
    await house.pass(50);
    expect(await waiting).toBe('');
    await client.close();
  });

  test('confirmed: needs a client that asked for it', async () => {
    const house = await wired();
    const client = await house.connect('a');
    expect(await codeOf(client.publish('t', content, { confirmed: true }))).toBe('HSK-3110');
    await client.close();
  });

  test('5.5.6: what comes too late comes for its number only', async () => {
    const house = await wired();
    const client = await house.connect('a');
    const subscription = await house.done(client.subscribe('t'));
    const b = await house.served.connected('b');
    house.away = true;
    await house.cut();
    await b.peer.say(publish('t', 1, { expiry: 100 }), publish('t', 2));
    await house.pass(200);
    house.away = false;
    await house.pass(10_000);
    expect(client.connected).toBe(true);
    expect((await subscription.next()).value).toMatchObject({ content: publish('t', 2).content });
    await client.close();
  });
});
