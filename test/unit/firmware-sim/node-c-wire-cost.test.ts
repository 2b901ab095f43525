import { readFileSync } from 'node:fs';
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { wrap } from '../../../firmware-sim/codec/framing.ts';
import { make } from '../../../firmware-sim/node-c/make.ts';
import { decodeShort } from '../../../src/wire/short-form.ts';
import { type LoneSession, loneSession, wire } from '../../support/lone-session.ts';
import { BUILD_MS, LiveNode, welcome } from '../../support/node-c.ts';
import { requires } from '../../support/requires.ts';

const describe = requires('gcc', 'libc6-dev', 'make', 'flock');

/** Content of alias 1 of the session. */
const READING = '0000002a07d0';
const CONTENT_BYTES = READING.length / 2;

const protocol = readFileSync(new URL('../../../docs/protocol.md', import.meta.url), 'utf8');

/** What stuffing, CRC and delimiter add to a frame (clause 7.1). */
const framing = Number(/(\d+) bytes in\s+all for a frame of up to 252 bytes/v.exec(protocol)?.[1]);

/** Bytes of each term in the last column of the table of kinds (clause 6.1). */
const bytesOfTerm: Readonly<Record<string, number>> = {
  id8: 1,
  'id8 (cumulative)': 1,
  'id8 of the last received': 1,
  '2 low bytes of the SESSION_ID': 2,
  '[credit]': 0,
  content: CONTENT_BYTES,
};

const kinds = protocol.slice(protocol.indexOf('| kind | name'), protocol.indexOf('6.1.1'));

/** What a frame of this kind costs on the line, as docs/protocol.md has it. */
function costOf(kind: number): number {
  const row = new RegExp(`\\n\\| ${kind} +\\|.*\\| ([^\\|]+?) +\\|\\n`, 'v').exec(kinds)?.[1] ?? '';
  return row.split(', ').reduce((sum, term) => sum + (bytesOfTerm[term] ?? Number.NaN), 1) + framing;
}

const costs = { reliable: costOf(1), ack: costOf(3), resume: costOf(6) };

describe('the wire between a node in C and a session of the gateway', () => {
  let node: LiveNode;
  let gateway: LoneSession;
  beforeAll(() => {
    make('build/probe');
  }, BUILD_MS);
  beforeEach(async () => {
    node = new LiveNode();
    await node.start();
    await node.in(welcome());
    gateway = loneSession();
    gateway.machine.attach(wire, 0, 0);
  });
  afterEach(() => node[Symbol.asyncDispose]());

  /** Hands the session what the node sent, settles what is numbered, and gives what it answers. */
  const answersTo = (sent: readonly string[], now: number): Uint8Array[] => {
    for (const frame of sent) gateway.hear(decodeShort(Buffer.from(frame, 'hex')), now);
    for (const { message } of gateway.received.splice(0))
      if ('messageId' in message && message.messageId !== undefined)
        gateway.machine.settle(message.messageId, now);
    gateway.tickUntil(now);
    return gateway.frames.splice(0);
  };

  test('6.1, 6.5.1, 7.1: waking, a reliable reading, its ACK and sleep take as many bytes as docs/protocol.md says', async () => {
    await node.sleep();
    await node.at(60_000);
    expect(await node.wake()).toMatchObject({ bytes: 0 });
    const reading = await node.take(READING);
    expect(reading.bytes).toBe(costs.reliable);
    const acks = answersTo(reading.sent, 60_000);
    expect(acks.map((ack) => wrap(ack).length)).toEqual([costs.ack]);
    const settled = await node.in(Buffer.from(acks[0] ?? []).toString('hex'));
    expect(settled).toMatchObject({ told: `acknowledged ${READING}`, bytes: 0, waiting: 0 });
    expect(await node.sleep()).toMatchObject({ bytes: 0 });
    expect(costs).toEqual({ reliable: 12, ack: 6, resume: 8 });
  });

  test('6.5.2, 7.1: asking for commands takes one RESUME each way', async () => {
    await node.sleep();
    await node.at(120_000);
    const asked = await node.wake(true);
    expect(asked.bytes).toBe(costs.resume);
    const answers = answersTo(asked.sent, 120_000);
    expect(answers.map((answer) => wrap(answer).length)).toEqual([costs.resume]);
    expect(await node.in(Buffer.from(answers[0] ?? []).toString('hex'))).toMatchObject({
      state: 'up',
      bytes: 0,
    });
  });
});
