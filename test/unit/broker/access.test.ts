import { describe, expect, test } from 'vitest';
import { Access, trusted } from '../../../src/broker/access.ts';
import { clientConfig } from '../../support/broker-house.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

describe('access', () => {
  test('a token is known by its hash; any other is nobody', () => {
    const access = new Access([clientConfig('pump')]);
    expect(access.holder(bytes('pump'))?.principal(undefined).clientId).toBe('pump');
    for (const wrong of ['', 'pumP', 'pump ', 'sha256:']) expect(access.holder(bytes(wrong))).toBeUndefined();
  });

  test('{client} in a filter stands for the client, also in the shared one’s name', () => {
    const rules = { publish: ['site/{client}/#'], subscribe: ['set/{client}'] };
    const access = new Access([
      clientConfig('pump', rules),
      clientConfig('fleet', { ...rules, shared: true }),
    ]);
    const pump = access.holder(bytes('pump'))?.principal(undefined);
    expect(pump?.mayPublish('site/pump/temperature')).toBe(true);
    expect(pump?.mayPublish('site/other/temperature')).toBe(false);
    const one = access.holder(bytes('fleet'))?.principal('one');
    expect(one?.mayPublish('site/fleet/one/temperature')).toBe(true);
    expect(one?.mayPublish('site/fleet/two/temperature')).toBe(false);
    expect(one?.maySubscribe('set/fleet/one')).toBe(true);
  });

  test('a filter may be subscribed to only where an allowed one covers all of it', () => {
    const access = new Access([clientConfig('pump', { subscribe: ['a/+', 'b/#'] })]);
    const pump = access.holder(bytes('pump'))?.principal(undefined);
    const may = (filter: string): boolean | undefined => pump?.maySubscribe(filter);
    expect(['a/x', 'a/+', 'b', 'b/x/y', 'b/+/y', 'b/#'].map(may)).not.toContain(false);
    expect(['#', 'a/#', '+/x', 'a/x/y', 'c', '+'].map(may)).not.toContain(true);
  });

  test('a name that would become a wildcard or another level is refused', () => {
    const access = new Access([clientConfig('fleet', { shared: true })]);
    const holder = access.holder(bytes('fleet'));
    for (const name of [undefined, '', '+', '#', 'a/b', 'a\u0000', 'a\n']) {
      expect(() => holder?.principal(name)).toThrow(expect.objectContaining({ code: 'HSK-3007' }));
    }
  });

  test('a stored CLIENT_ID finds its principal as long as the configuration knows it', () => {
    const access = new Access([clientConfig('pump'), clientConfig('fleet', { shared: true })]);
    expect(access.principal('pump')?.clientId).toBe('pump');
    expect(access.principal('fleet/one')?.clientId).toBe('fleet/one');
    for (const gone of ['fleet', 'pump/one', 'other', 'other/one'])
      expect(access.principal(gone)).toBeUndefined();
    expect(access.clientIds).toEqual(['pump']);
  });

  test('two clients with the same name or token are refused', () => {
    const pump = clientConfig('pump');
    for (const other of [pump, { ...clientConfig('other'), token: pump.token }]) {
      expect(() => new Access([pump, other])).toThrow(expect.objectContaining({ code: 'HSK-3002' }));
    }
  });

  test('a part of the gateway may do everything', () => {
    const bridge = trusted('mqtt');
    expect([bridge.mayPublish('x'), bridge.maySubscribe('#')]).toEqual([true, true]);
  });
});
