import type { IClientOptions, IConnackPacket, IPublishPacket, MqttClient, Packet } from 'mqtt';
import type { Clock } from '../base/clock.ts';
import { describeError, HashikeError } from '../base/errors.ts';
import type { UpstreamMessage } from './mqtt-message.ts';
import { MAX_PENDING_COMMANDS } from './mqtt-options.ts';
import { blamesMessage, connectFailure } from './mqtt-reasons.ts';

export interface MqttSessionHandler {
  /** Takes one PUBLISH of the broker; it is acknowledged when the promise resolves. Must not reject. */
  received(packet: IPublishPacket): Promise<void>;
  /** Exactly once, and not after `end`. @param blamed the broker said that a message of ours was at fault. */
  closed(cause: HashikeError, blamed: boolean): void;
}

/** What the broker said in its CONNACK. */
export interface MqttGrant {
  readonly sessionPresent: boolean;
  /** Messages it takes unacknowledged, and bytes of a packet. */
  readonly receiveMaximum: number;
  readonly maximumPacketBytes: number;
  readonly retainAvailable: boolean;
}

interface Pending {
  readonly packet: IPublishPacket;
  settled: boolean;
}

/** Makes MQTT.js go on with the next packet without a PUBACK of its own. */
const acknowledgedLater = new Error('acknowledged later');

/** One connection to an MQTT broker, from CONNECT to its end; it never connects again. MQTT.js is loaded on first need. */
export class MqttSession {
  readonly grant: MqttGrant;
  readonly #client: MqttClient;

  private constructor(client: MqttClient, connack: IConnackPacket) {
    this.#client = client;
    const { receiveMaximum, maximumPacketSize, retainAvailable } = connack.properties ?? {};
    this.grant = {
      sessionPresent: connack.sessionPresent,
      receiveMaximum: receiveMaximum ?? 65_535,
      maximumPacketBytes: maximumPacketSize ?? Number.POSITIVE_INFINITY,
      retainAvailable: retainAvailable ?? true,
    };
  }

  /** Rejects with HSK-4102, HSK-4103, HSK-4104 or HSK-4106. @param signal gives up connecting. */
  static async connect(
    url: string,
    options: IClientOptions,
    handler: MqttSessionHandler,
    signal: AbortSignal,
  ): Promise<MqttSession> {
    const { connect } = await import('mqtt');
    if (signal.aborted) throw connectFailure(url, new Error('the gateway stops'));
    const client = connect(options);
    receiveInto(client, handler);
    return new Promise((resolve, reject) => {
      let state: 'connecting' | 'connected' | 'over' = 'connecting';
      let blamed = false;
      const over = (error: unknown): void => {
        if (state === 'over') return;
        signal.removeEventListener('abort', abort);
        const { disconnecting } = client;
        const wasConnected = state === 'connected';
        state = 'over';
        client.end(true);
        if (!wasConnected) reject(connectFailure(url, error));
        else if (!disconnecting) {
          const text = `the connection to ${url} was lost: ${describeError(error)}`;
          handler.closed(new HashikeError('HSK-4107', text, { url }, error), blamed);
        }
      };
      const abort = (): void => {
        if (state === 'connecting') over(new Error('the gateway stops'));
      };
      client.on('connect', (connack) => {
        const { maximumQoS } = connack.properties ?? {};
        if (maximumQoS === 0) {
          over(Object.assign(new Error('the broker offers no QoS 1'), { code: 0x9b }));
          return;
        }
        state = 'connected';
        resolve(new MqttSession(client, connack));
      });
      client.on('disconnect', ({ reasonCode }) => {
        blamed = blamesMessage(reasonCode);
        over(new Error(`the broker ended it with reason ${reasonCode ?? 0}`));
      });
      client.on('error', over);
      client.on('close', () => over(new Error('the broker closed the connection')));
      signal.addEventListener('abort', abort);
      client.connect();
    });
  }

  /** Sends a message at QoS 1. Resolves with the reason code of the PUBACK; never when the connection is lost before it comes. */
  publish({ topic, payload, options }: UpstreamMessage): Promise<number> {
    return new Promise((resolve) => {
      this.#client.publish(topic, payload, options, (error) => {
        if (!error) resolve(0);
        else if ('code' in error && typeof error.code === 'number') resolve(error.code);
      });
    });
  }

  /** Resolves once the broker has granted it. Rejects with HSK-4108. */
  async subscribe(filter: string): Promise<void> {
    try {
      // Retained commands are not asked for: an old command must not be carried out again at each connect.
      await this.#client.subscribeAsync(filter, { qos: 1, nl: true, rh: 2 });
    } catch (error) {
      const text = `the upstream refused the subscription to ${filter}: ${describeError(error)}`;
      throw new HashikeError('HSK-4108', text, { filter }, error);
    }
  }

  /** Waits for what is in flight and says DISCONNECT, but no longer than `ms`. */
  async end(clock: Clock, ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const patience = clock.after(ms, resolve);
      this.#client.end(false, {}, () => {
        patience.cancel();
        resolve();
      });
    });
    this.#client.stream.destroy();
  }

  /** Drops the connection at once; the handler hears of it unless `end` was called before. */
  drop(reason: string): void {
    this.#client.stream.destroy(new Error(reason));
  }
}

/**
 * Has each PUBLISH of the broker taken by `handler`, and acknowledged in the order of arrival, as MQTT demands. MQTT.js by itself would read nothing
 * more until the handler is done, and so a command that waits for the disk would hold up the PUBACKs of everything else.
 */
function receiveInto(client: MqttClient, handler: MqttSessionHandler): void {
  const pending: Pending[] = [];
  let goOn: (() => void) | undefined;
  const acknowledge = (): void => {
    for (let [first] = pending; first?.settled; [first] = pending) {
      pending.shift();
      const { qos, messageId } = first.packet;
      if (qos > 0 && messageId !== undefined && client.connected) sendPuback(client, messageId);
    }
    if (pending.length >= MAX_PENDING_COMMANDS) return;
    // Going on may bring the next PUBLISH at once.
    const proceed = goOn;
    goOn = undefined;
    proceed?.();
  };
  const settle = async (entry: Pending): Promise<void> => {
    await handler.received(entry.packet);
    entry.settled = true;
    acknowledge();
  };
  client.handleMessage = (packet, next) => {
    const entry: Pending = { packet, settled: false };
    pending.push(entry);
    void settle(entry);
    const proceed = (): void => next(acknowledgedLater);
    if (pending.length < MAX_PENDING_COMMANDS) proceed();
    else goOn = proceed;
  };
}

/** There is no public call for it. */
function sendPuback(client: MqttClient, messageId: number): void {
  const sender = client as unknown as { _sendPacket(packet: Packet): void };
  sender._sendPacket({ cmd: 'puback', messageId, reasonCode: 0 });
}
