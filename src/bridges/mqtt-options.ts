import { readFile } from 'node:fs/promises';
import type { IClientOptions } from 'mqtt';
import { HashikeError } from '../base/errors.ts';
import type { MqttConfig } from '../config/schema.ts';
import type { TopicMap } from './mqtt-topics.ts';

/** How long a connection may take to be made, DNS, TLS and CONNACK included. */
export const CONNECT_TIMEOUT_MS = 15_000;
/** How long the broker keeps commands for a gateway that is away. */
const SESSION_EXPIRY_S = 7 * 86_400;
/** Largest packet that an MQTT 5 broker may send: a command is at most 64 KiB, and the rest is topic and properties. */
const MAXIMUM_PACKET_BYTES = 131_072;
/** Commands that may wait for their PUBACK. */
export const MAX_PENDING_COMMANDS = 32;

/** Throws HSK-4101 when keys of the configuration contradict each other. */
export function checkMqttConfig(config: MqttConfig): void {
  if (config.tls && !config.url.startsWith('mqtts:')) {
    throw new HashikeError(
      'HSK-4101',
      'upstream.mqtt.tls is of use with a url that begins with mqtts:// only',
    );
  }
  if (config.passwordFile !== undefined && config.username === undefined) {
    throw new HashikeError('HSK-4101', 'upstream.mqtt.passwordFile needs upstream.mqtt.username');
  }
  if ((config.tls?.cert === undefined) !== (config.tls?.key === undefined)) {
    throw new HashikeError('HSK-4101', 'upstream.mqtt.tls needs cert and key, or neither');
  }
}

/** Options of one connection. Files are read each time, so that a renewed certificate or password is taken up. Rejects with HSK-4105. */
export async function clientOptions(
  config: MqttConfig,
  gateway: string,
  topics: TopicMap,
): Promise<IClientOptions> {
  const url = new URL(config.url);
  const secure = url.protocol === 'mqtts:';
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  return {
    protocol: secure ? 'mqtts' : 'mqtt',
    host,
    hostname: host,
    port: url.port === '' ? (secure ? 8883 : 1883) : Number(url.port),
    protocolVersion: config.version,
    clientId: config.clientId ?? `hashike-${gateway}`,
    // The broker keeps the subscription and the commands that come while the gateway is away.
    clean: false,
    keepalive: Math.max(1, Math.round(config.keepAliveMs / 1000)),
    connectTimeout: CONNECT_TIMEOUT_MS,
    // The spool is the only queue, and this bridge alone decides when to connect.
    reconnectPeriod: 0,
    queueQoSZero: false,
    resubscribe: false,
    manualConnect: true,
    will: { topic: topics.status, payload: Buffer.from(config.will.offline), qos: 1, retain: true },
    ...(config.version === 5
      ? {
          properties: {
            sessionExpiryInterval: SESSION_EXPIRY_S,
            receiveMaximum: MAX_PENDING_COMMANDS,
            maximumPacketSize: MAXIMUM_PACKET_BYTES,
          },
        }
      : {}),
    ...(config.username === undefined ? {} : { username: config.username }),
    ...(config.passwordFile === undefined ? {} : { password: await passwordIn(config.passwordFile) }),
    ...(secure ? await tlsFiles(config.tls) : {}),
  };
}

async function tlsFiles(tls: MqttConfig['tls']): Promise<IClientOptions> {
  return {
    rejectUnauthorized: true,
    ...(tls?.ca === undefined ? {} : { ca: await fileAt('tls.ca', tls.ca) }),
    ...(tls?.cert === undefined ? {} : { cert: await fileAt('tls.cert', tls.cert) }),
    ...(tls?.key === undefined ? {} : { key: await fileAt('tls.key', tls.key) }),
  };
}

/** The password is the file without the line break that editors put at its end. */
async function passwordIn(path: string): Promise<string> {
  const text = (await fileAt('passwordFile', path)).toString('utf8');
  return text.replace(/\r?\n$/, '');
}

async function fileAt(key: string, path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    throw new HashikeError('HSK-4105', `upstream.mqtt.${key}: ${path} cannot be read`, { path }, error);
  }
}
