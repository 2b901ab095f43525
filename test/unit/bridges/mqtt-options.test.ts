import { describe, expect, test } from 'vitest';
import { checkMqttConfig, clientOptions } from '../../../src/bridges/mqtt-options.ts';
import { TopicMap } from '../../../src/bridges/mqtt-topics.ts';
import { mqttConfig } from '../../support/bridge-house.ts';

const topics = new TopicMap({
  gateway: 'gw',
  topic: '{gateway}/{topic}',
  commands: '{gateway}/commands/{topic}',
  status: '{gateway}/status',
});

describe('options of the upstream connection', () => {
  test.each([
    ['mqtt://broker.example', { protocol: 'mqtt', host: 'broker.example', port: 1883 }],
    [
      'mqtts://broker.example',
      { protocol: 'mqtts', host: 'broker.example', port: 8883, rejectUnauthorized: true },
    ],
    ['mqtt://[::1]:2883', { protocol: 'mqtt', host: '::1', port: 2883 }],
  ])('%s', async (url, expected) => {
    expect(await clientOptions(mqttConfig({ url }), 'gw', topics)).toMatchObject(expected);
  });

  test('the library neither queues nor connects by itself, and the session outlives the connection', async () => {
    const options = await clientOptions(mqttConfig({ url: 'mqtt://b' }), 'gw', topics);
    expect(options).toMatchObject({
      clientId: 'hashike-gw',
      clean: false,
      reconnectPeriod: 0,
      queueQoSZero: false,
      resubscribe: false,
      manualConnect: true,
      protocolVersion: 5,
      keepalive: 30,
    });
    expect(options.properties?.sessionExpiryInterval).toBeGreaterThan(86_400);
    const older = await clientOptions(mqttConfig({ url: 'mqtt://b', version: 4 }), 'gw', topics);
    expect(older.properties).toBeUndefined();
  });

  test.each([
    { url: 'mqtt://b', tls: { ca: 'x' } },
    { url: 'mqtts://b', tls: { cert: 'x' } },
    { url: 'mqtt://b', passwordFile: 'x' },
  ])('keys that contradict each other are said: %j', (config) => {
    expect(() => checkMqttConfig(mqttConfig(config))).toThrow(expect.objectContaining({ code: 'HSK-4101' }));
  });

  test('a file that cannot be read is said by its key', async () => {
    const config = mqttConfig({ url: 'mqtt://b', username: 'u', passwordFile: '/nowhere/password' });
    await expect(clientOptions(config, 'gw', topics)).rejects.toThrow(
      /passwordFile: \/nowhere\/password.*HSK-4105/,
    );
  });
});
