import type { EventEmitter } from 'node:events';

/**
 * Cures serialport of a stall on Node 26.4 and later: its native poller calls into JavaScript from the event loop, and those versions
 * no longer run the promises that the call resolved until something else wakes the loop. On an otherwise quiet gateway a read would
 * wait for ever. An immediate wakes the loop after each of the poller's events; on other versions it costs next to nothing.
 * See serialport/bindings-cpp issue 239.
 */
export function keepPollerAwake(poller: EventEmitter): void {
  const emit = poller.emit.bind(poller);
  poller.emit = (event: string, ...values: unknown[]): boolean => {
    setImmediate(() => undefined);
    return emit(event, ...values);
  };
}
