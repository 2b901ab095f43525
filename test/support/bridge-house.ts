import { systemClock } from '../../src/base/clock.ts';
import { Counters } from '../../src/base/counters.ts';
import { systemRandom } from '../../src/base/random.ts';
import { createMqttBridge, MQTT_BRIDGE, type MqttBridge } from '../../src/bridges/mqtt.ts';
import type { BrokerPort, DurableOptions } from '../../src/broker/ports.ts';
import { configSchema, type MqttConfig } from '../../src/config/schema.ts';
import { compileProfiles, type ProfilesDescription } from '../../src/profiles/profiles.ts';
import type { Origin, Publication } from '../../src/wire/publication.ts';
import { RecordingLog } from './recording-log.ts';
import { openTempSpool, type TempSpool } from './temp-spool.ts';

/** An MQTT section of the configuration with its defaults. */
export function mqttConfig(config: Readonly<Record<string, unknown>> & { readonly url: string }): MqttConfig {
  const { mqtt } = configSchema.shape.upstream.parse({ mqtt: config });
  if (!mqtt) throw new Error('no upstream was parsed');
  return mqtt;
}

/** Everything that a bridge needs around it: the real spool, and a broker that keeps what comes. */
export class BridgeHouse implements AsyncDisposable {
  readonly temp: TempSpool;
  readonly log = new RecordingLog();
  readonly counters = new Counters();
  /** Commands, as they were published locally. */
  readonly commands: Publication[] = [];
  /** Origins of what the bridge is done with. */
  readonly confirmed: Origin[] = [];
  readonly durable: { readonly options: DurableOptions; readonly filters: string[] }[] = [];
  /** Replaced by tests that want the broker to wait or to refuse. */
  publish: (publication: Publication) => Promise<void> = async (publication) => {
    this.commands.push(publication);
  };
  #bridge: MqttBridge | undefined;

  private constructor(temp: TempSpool) {
    this.temp = temp;
  }

  static async open(): Promise<BridgeHouse> {
    return new BridgeHouse(await openTempSpool());
  }

  /** Makes a bridge and opens it; the one before must be closed. */
  async bridge(
    config: MqttConfig,
    profiles: ProfilesDescription = { profiles: {}, clients: [] },
  ): Promise<MqttBridge> {
    await this.#bridge?.close();
    this.#bridge = createMqttBridge({
      config,
      gateway: 'gw',
      spool: this.temp.spool,
      broker: {
        publish: (publication) => this.publish(publication),
        addDurable: this.#addDurable,
        taken: (origin) => void this.confirmed.push(origin),
      },
      profiles: compileProfiles(profiles),
      principal: { clientId: MQTT_BRIDGE, mayPublish: () => true, maySubscribe: () => true },
      clock: systemClock,
      random: systemRandom,
      counters: this.counters,
      log: this.log,
    });
    this.#bridge.open();
    return this.#bridge;
  }

  /** Closes the bridge and the spool and opens the spool again, as a restart does. */
  async restart(): Promise<void> {
    await this.#bridge?.close();
    this.#bridge = undefined;
    await this.temp.reopen();
  }

  /** Puts publications into the custody of the bridge. */
  async append(publications: readonly Publication[]): Promise<void> {
    await this.temp.spool.append(publications.map((publication) => ({ consumer: MQTT_BRIDGE, publication })));
  }

  /** Messages that still wait on disk. */
  get waiting(): number {
    return this.temp.spool.consumer(MQTT_BRIDGE).depth.messages;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#bridge?.close();
    await this.temp[Symbol.asyncDispose]();
  }

  readonly #addDurable: BrokerPort['addDurable'] = (options) => {
    const filters: string[] = [];
    this.durable.push({ options, filters });
    return {
      add: (filter) => void filters.push(filter),
      remove: (filter) => void filters.splice(filters.indexOf(filter), 1),
      cancel: () => void filters.splice(0),
    };
  };
}
