import { beforeEach, describe, expect, test } from 'vitest';
import { encodeMessage } from '../../../src/wire/long-form.ts';
import { MessageType } from '../../../src/wire/numbers.ts';
import { type LoneSession, loneSession, tcp } from '../../support/lone-session.ts';
import { publish, subscribe } from '../../support/peer.ts';

const KEEP_ALIVE_MS = 1000;
let beside: Uint8Array[];
let open: boolean;
let lone: LoneSession;

beforeEach(() => {
  beside = [];
  open = true;
  lone = loneSession({
    keepAliveMs: KEEP_ALIVE_MS,
    transmitBeside: (frame) => open && beside.push(frame) > 0,
  });
  lone.machine.attach(tcp, 0, 0);
});

const { topic, content } = publish('t', undefined);
const body = { type: MessageType.PUBLISH, topic, content, retain: false } as const;

describe('a path beside the link', () => {
  test('8.5.1: is offered what is best effort, and the link carries what it does not take', () => {
    expect(lone.machine.sendBestEffort(body, 0)).toBe('sent');
    expect(lone.frames).toEqual([]);
    open = false;
    expect(lone.machine.sendBestEffort(body, 0)).toBe('sent');
    expect(lone.frames).toEqual(beside);
  });

  test('8.5.1: is never offered what is reliable, nor anything without a link', () => {
    lone.machine.sendReliable(body, 0);
    lone.machine.sendControl({ type: MessageType.DISCONNECT, timestamp: 0 }, 0);
    lone.machine.detach();
    expect(lone.machine.sendBestEffort(body, 0)).toBe('dropped');
    expect(beside).toEqual([]);
  });

  test('8.5.3: brings best effort, which is received at once', () => {
    lone.machine.frameBeside(encodeMessage(publish('t', undefined)), 0);
    expect(lone.received).toMatchObject([{ message: { type: MessageType.PUBLISH, topic: 't' } }]);
  });

  test.each([
    ['a reliable PUBLISH', publish('t', 1), 'unexpected-message'],
    ['another numbered message', subscribe(1, ['t']), 'unexpected-message'],
    ['an ACK', { type: MessageType.ACK, timestamp: 0, messageId: 1 } as const, 'unexpected-message'],
    [
      'what a server never receives',
      { type: MessageType.REJECTED, timestamp: 0, messageId: 1, reason: { code: 0, text: '' } } as const,
      'unexpected-message',
    ],
    [
      'an alias whose declaration it has overtaken',
      publish('t', undefined, { topic: undefined, aliasId: 200 }),
      'unknown-alias',
    ],
  ])('8.5.3: brings %s: dropped and counted, and the session goes on', (_, message, reason) => {
    lone.machine.frameBeside(encodeMessage(message), 0);
    lone.machine.frameBeside(Uint8Array.of(1, 2, 3), 0);
    expect(lone.events).toEqual([`dropped ${reason}`, 'dropped malformed']);
    expect(lone.received).toEqual([]);
    expect(lone.violations).toEqual([]);
    lone.machine.frame(encodeMessage(publish('t', 1)), 0);
    expect(lone.received).toHaveLength(1);
  });

  test('8.5.4: does not stand for the link: a link that is silent is silent', () => {
    for (let now = 100; now <= 1600; now += 100) {
      lone.machine.frameBeside(encodeMessage(publish('t', undefined)), now);
      lone.machine.sendBestEffort(body, now);
      lone.machine.tick(now);
    }
    expect(lone.events).toContain('silent');
  });
});
