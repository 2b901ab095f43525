import type { IPublishPacket } from 'mqtt';
import { type Clock, sleep } from '../base/clock.ts';
import type { Counters } from '../base/counters.ts';
import { DropReport } from '../base/drop-report.ts';
import { HashikeError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { BrokerPort, Principal } from '../broker/ports.ts';
import { parseCommand } from '../profiles/command.ts';
import type { PayloadFormat } from '../profiles/payload.ts';
import type { Profiles } from '../profiles/profiles.ts';
import { MAX_PAYLOAD_BYTES } from '../wire/numbers.ts';
import { commandFields } from './mqtt-message.ts';
import type { TopicMap } from './mqtt-topics.ts';

/** Content and correlation of a command; the rest of a message of the largest size is left to topics and names. */
const MAX_COMMAND_BYTES = MAX_PAYLOAD_BYTES - 4096;
/** How long to wait after the disk failed before a command is tried again. */
const DISK_RETRY_MS = 1000;

export interface MqttCommandsOptions {
  /** Name of the bridge: the origin of its commands. */
  readonly name: string;
  readonly topics: TopicMap;
  readonly format: PayloadFormat;
  readonly profiles: Profiles;
  readonly broker: Pick<BrokerPort, 'publish'>;
  readonly principal: Principal;
  readonly clock: Clock;
  readonly counters: Counters;
  readonly log: Log;
}

/** Turns what the upstream publishes under the prefix of commands into local publications. */
export class MqttCommands {
  readonly #options: MqttCommandsOptions;
  readonly #drops: DropReport;

  constructor(options: MqttCommandsOptions) {
    this.#options = options;
    const { name, clock, counters, log } = options;
    this.#drops = new DropReport({
      place: `${name} commands`,
      text: 'a command from upstream is dropped',
      clock,
      counters,
      log,
    });
  }

  /**
   * Resolves when the command may be acknowledged: custody has passed, or it can never be carried out, which is counted. While the disk
   * fails it waits, until `abandoned` says that nobody waits for the answer any more.
   */
  async receive(packet: IPublishPacket, abandoned: () => boolean): Promise<void> {
    const { clock } = this.#options;
    while (!abandoned()) {
      try {
        await this.#publish(packet);
        return;
      } catch (error) {
        if (!(error instanceof HashikeError)) throw error;
        if (!isOfSpool(error)) {
          this.#drops.add(reasonOf(error), { topic: packet.topic, code: error.code, error: error.message });
          return;
        }
        await sleep(clock, DISK_RETRY_MS);
      }
    }
  }

  async #publish(packet: IPublishPacket): Promise<void> {
    const { name, topics, format, profiles, broker, principal, clock, counters } = this.#options;
    // In 3.1.1 a subscription brings retained messages: commands of old, which must not be carried out again.
    if (packet.retain) {
      this.#drops.add('retained', { topic: packet.topic });
      return;
    }
    const topic = topics.command(packet.topic);
    if (topic === undefined) {
      this.#drops.add('topic-invalid', { topic: packet.topic });
      return;
    }
    const bytes = typeof packet.payload === 'string' ? Buffer.from(packet.payload) : packet.payload;
    const content = parseCommand(topic, new Uint8Array(bytes), format, profiles);
    const fields = commandFields(packet, topics, clock.wall());
    if (content.length + (fields.correlation?.length ?? 0) > MAX_COMMAND_BYTES) {
      this.#drops.add('too-large', { topic: packet.topic, bytes: bytes.length });
      return;
    }
    if (packet.properties?.responseTopic !== undefined && fields.responseTopic === undefined) {
      this.#drops.add('response-topic-not-mapped', { topic: packet.topic });
    }
    await broker.publish({ ...fields, topic, content, origin: { clientId: name } }, principal);
    counters.counter('commands', { link: name }).add();
  }
}

function isOfSpool({ code }: HashikeError): boolean {
  return code.startsWith('HSK-22');
}

function reasonOf({ code }: HashikeError): string {
  if (code === 'HSK-3001') return 'not-allowed';
  return code.startsWith('HSK-12') ? 'topic-invalid' : 'content-invalid';
}
