import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { ConnackSuccess, Message } from '../../src/wire/message.ts';
import { MessageType } from '../../src/wire/numbers.ts';
import { clientConfig } from '../support/broker-house.ts';
import { connectResume, connectToken, type Peer, ServedBroker, settle, subscribe } from '../support/peer.ts';

const GRACE_MS = 1000;
const WINDOW_MS = 3000;
const names = ['a', 'b', 'c'];
const clients = [...names, 'w'].map((name) => clientConfig(name));
const topics = ['t/1', 't/2', 'u'];

const name = fc.constantFrom(...names);
const topic = fc.constantFrom(...topics);
const operation = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('subscribe' as const), name, topic }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('unsubscribe' as const), name, topic }) },
  fc.record({ kind: fc.constantFrom('cut', 'resume', 'anew', 'leave'), name }),
  fc.record({ kind: fc.constant('watcher cut' as const) }),
  fc.record({ kind: fc.constant('pass' as const), ms: fc.constantFrom(500, GRACE_MS, WINDOW_MS) }),
);

/** A client that numbers what it says. */
class Client {
  readonly #served: ServedBroker;
  readonly #name: string;
  #connack: ConnackSuccess | undefined;
  #said = 0;
  peer: Peer;

  constructor(served: ServedBroker, clientName: string) {
    this.#served = served;
    this.#name = clientName;
    this.peer = served.peer();
  }

  /** Whether the server has a session that this side could talk in now. */
  get talks(): boolean {
    return this.#connack !== undefined && !this.peer.link.isClosed;
  }

  async anew(): Promise<void> {
    this.peer = this.#served.peer();
    await this.peer.say(connectToken(this.#name, { resumeWindow: WINDOW_MS }));
    [this.#connack] = this.peer.heard(MessageType.CONNACK_SUCCESS);
    this.#said = 0;
  }

  /** Also while the link before still stands: then it is a takeover. */
  async resume(received = 0): Promise<boolean> {
    if (!this.#connack) return false;
    const peer = this.#served.peer();
    await peer.say(connectResume(this.#connack, received));
    if (peer.messages[0]?.type !== MessageType.CONNACK_RESUMED) return false;
    this.peer = peer;
    return true;
  }

  async say(make: (messageId: number) => Message): Promise<void> {
    if (!this.talks) return;
    this.#said += 1;
    await this.peer.say(make(this.#said));
  }

  async leave(): Promise<void> {
    if (this.talks) await this.peer.say({ type: MessageType.DISCONNECT, timestamp: 0 });
    this.#connack = undefined;
  }
}

test('whatever clients do, a watcher hears of each client and topic in turns, and knows in the end who is there', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(operation, { maxLength: 40, size: 'max' }), async (operations) => {
      const served = await ServedBroker.open({ clients, limits: { presenceGraceMs: GRACE_MS } });
      const watcher = new Client(served, 'w');
      await watcher.anew();
      await watcher.say((messageId) => ({
        type: MessageType.WATCH,
        timestamp: 0,
        messageId,
        topics: ['t/+', 't/1', 'u'],
      }));
      /** `a t/1`: true while it is told to be present. */
      const told = new Map<string, boolean>();
      let received = 0;
      const listen = (): void => {
        for (const message of watcher.peer.messages.splice(0)) {
          const joined = message.type === MessageType.PRESENCE_JOINED;
          if (!joined && message.type !== MessageType.PRESENCE_LEFT) continue;
          if (message.messageId <= received) continue;
          expect(message.messageId).toBe(received + 1);
          received = message.messageId;
          const key = `${message.clientId} ${message.topic}`;
          expect(told.get(key) ?? false).toBe(!joined);
          told.set(key, joined);
        }
      };
      const all = new Map(names.map((each) => [each, new Client(served, each)]));
      for (const client of all.values()) await client.anew();
      for (const step of operations) {
        const client = 'name' in step ? all.get(step.name) : undefined;
        if (step.kind === 'pass') await served.pass(step.ms);
        else if (step.kind === 'watcher cut') {
          watcher.peer.link.break();
          await settle();
          await watcher.resume(received);
        } else if (step.kind === 'subscribe') await client?.say((id) => subscribe(id, [step.topic]));
        else if (step.kind === 'unsubscribe') {
          await client?.say((messageId) => ({
            type: MessageType.UNSUBSCRIBE,
            timestamp: 0,
            messageId,
            topics: [step.topic],
          }));
        } else if (step.kind === 'cut') client?.peer.link.break();
        else if (step.kind === 'resume') await client?.resume();
        else if (step.kind === 'anew') await client?.anew();
        else await client?.leave();
        await settle();
        listen();
      }
      await served.pass(GRACE_MS);
      listen();
      // What the server counts as in force is the truth.
      const truth = served.connections
        .describe()
        .flatMap(({ client, subscriptions }) => subscriptions.map((filter) => `${client} ${filter}`));
      const present = [...told].filter(([, is]) => is).map(([key]) => key);
      expect(present.toSorted()).toEqual(truth.toSorted());
    }),
    { numRuns: 60 },
  );
});
