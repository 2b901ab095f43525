import { setTimeout as pause } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import type { Progress } from '../../src/base/progress.ts';
import type { MqttBridgeStatus } from '../../src/bridges/mqtt.ts';
import type { Publication } from '../../src/wire/publication.ts';
import { publicationOf } from '../support/publications.ts';

/** A bridge with the real spool behind it and a real upstream before it. */
export interface BridgeUnderTest extends AsyncDisposable {
  append(publications: readonly Publication[]): Promise<void>;
  /** Messages that wait on disk. */
  readonly waiting: number;
  status(): MqttBridgeStatus;
  progress(): Progress;
  /** Texts of the warnings in the log. */
  warnings(): readonly string[];
  /** Identifiers that an application upstream has heard, in order, repetitions included. */
  heard(): readonly string[];
  stopUpstream(how: 'properly' | 'crash'): Promise<void>;
  startUpstream(): Promise<void>;
  /** Closes the bridge, the spool too, and opens both again, as a restart of the gateway does. */
  restart(): Promise<void>;
}

export interface BridgeContract {
  open(): Promise<BridgeUnderTest>;
}

const soon = { timeout: 15_000, interval: 10 };

/** `count` publications of one node, from `first` on. */
export function readings(first: number, count: number): readonly Publication[] {
  return Array.from({ length: count }, (_, index) => publicationOf(first + index));
}

export function idsOf(first: number, count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => `gw/0102030405060708/${first + index}`);
}

/** What every bridge upstream must do. */
export function testBridge(contract: BridgeContract): void {
  test('everything that was appended arrives, in order, once, and is deleted from disk', async () => {
    await using bridge = await contract.open();
    for (let first = 1; first <= 500; first += 100) await bridge.append(readings(first, 100));
    await vi.waitFor(() => expect(bridge.heard()).toHaveLength(500), soon);
    expect(bridge.heard()).toEqual(idsOf(1, 500));
    await vi.waitFor(() => expect(bridge.waiting).toBe(0), soon);
  });

  test('what is appended while the upstream is away waits on disk and arrives in order once it is back', async () => {
    await using bridge = await contract.open();
    await bridge.append(readings(1, 50));
    await vi.waitFor(() => expect(bridge.waiting).toBe(0), soon);
    await bridge.stopUpstream('properly');
    await bridge.append(readings(51, 100));
    await vi.waitFor(() => expect(bridge.status().state).not.toBe('online'), soon);
    expect(bridge.waiting).toBe(100);
    expect(bridge.status().error).toMatch(/HSK-41/);
    await bridge.startUpstream();
    await vi.waitFor(() => expect(bridge.waiting).toBe(0), soon);
    await vi.waitFor(() => expect([...new Set(bridge.heard())]).toEqual(idsOf(1, 150)), soon);
  });

  test('an upstream that goes away again and again in mid-stream makes no gap and no disorder', async () => {
    await using bridge = await contract.open();
    for (let round = 0; round < 3; round += 1) {
      await bridge.append(readings(1 + round * 400, 400));
      await vi.waitFor(() => expect(bridge.heard().length).toBeGreaterThan(round * 400 + 30), soon);
      await bridge.stopUpstream('properly');
      await bridge.startUpstream();
    }
    await vi.waitFor(() => expect(bridge.waiting).toBe(0), soon);
    await vi.waitFor(() => expect(new Set(bridge.heard()).size).toBe(1200), soon);
    expect([...new Set(bridge.heard())]).toEqual(idsOf(1, 1200));
  });

  test('a restart of the gateway continues where it was', async () => {
    await using bridge = await contract.open();
    await bridge.append(readings(1, 300));
    await vi.waitFor(() => expect(bridge.heard().length).toBeGreaterThan(20), soon);
    await bridge.restart();
    await bridge.append(readings(301, 100));
    await vi.waitFor(() => expect(bridge.waiting).toBe(0), soon);
    await vi.waitFor(() => expect([...new Set(bridge.heard())]).toEqual(idsOf(1, 400)), soon);
    // Closing waits for what is in flight, so nothing was sent twice.
    expect(bridge.heard()).toHaveLength(400);
  });

  test('an absence costs no memory, is logged once however many tries it takes, and does not look stuck', async () => {
    await using bridge = await contract.open();
    await vi.waitFor(() => expect(bridge.status().state).toBe('online'), soon);
    await bridge.stopUpstream('crash');
    for (let first = 1; first <= 3000; first += 1000) await bridge.append(readings(first, 1000));
    // The loss, then the first refusal; the tries after that are silent.
    await vi.waitFor(() => expect(bridge.warnings()).toHaveLength(2), soon);
    await pause(1500);
    expect(bridge.warnings()).toHaveLength(2);
    expect(bridge.status()).toMatchObject({ inFlight: 0, queued: { messages: 3000 } });
    expect(bridge.progress()).not.toBe('stuck');
    await bridge.startUpstream();
    await vi.waitFor(() => expect(bridge.waiting).toBe(0), soon);
    expect(bridge.progress()).toBe('advanced');
    expect(bridge.progress()).toBe('idle');
  });
}
