import { HashikeError } from '../base/errors.ts';
import { matches, validateTopic } from '../topic/topic.ts';

const TOPIC = '{topic}';

/**
 * Which topic is which on the two sides. Topics are put into the templates as they are, never as patterns; what would reach a place upstream that is not the
 * node's to write (the commands, the gateway's status, `$`-topics) is told apart.
 */
export class TopicMap {
  /** Where the gateway's state is kept. */
  readonly status: string;
  /** What to subscribe to for commands. */
  readonly commandFilter: string;
  readonly #readings: Template;
  readonly #commands: Template;

  /** Throws HSK-4101 when a template cannot work. */
  constructor(config: {
    readonly gateway: string;
    readonly topic: string;
    readonly commands: string;
    readonly status: string;
  }) {
    const fill = (template: string): string => template.replaceAll('{gateway}', () => config.gateway);
    this.#readings = new Template('topic', fill(config.topic));
    this.#commands = new Template('commands', fill(config.commands));
    if (this.#commands.after !== '' || !/(^|\/)$/.test(this.#commands.before)) {
      throw new HashikeError('HSK-4101', `upstream.mqtt.commands: ${TOPIC} must be the last level`);
    }
    this.commandFilter = `${this.#commands.before}#`;
    this.status = fill(config.status);
    checked('will.topic', this.status);
  }

  /** The topic upstream of a reading, or undefined where that place is not a node's. */
  upstream(local: string): string | undefined {
    const topic = this.#readings.apply(local);
    const reserved =
      topic === this.status ||
      matches(this.commandFilter, topic) ||
      (topic.startsWith('$') && this.#readings.before === '');
    return reserved ? undefined : topic;
  }

  /** The local topic of a command, or undefined where the topic upstream names none. */
  command(upstream: string): string | undefined {
    return this.#commands.extract(upstream);
  }

  /** Where somebody upstream publishes an answer so that it comes to the local topic. */
  answerUpstream(local: string): string {
    return this.#commands.apply(local);
  }

  /** Where a node publishes an answer so that it comes to the topic upstream; undefined where no local topic goes there. */
  answerLocal(upstream: string): string | undefined {
    const local = this.#readings.extract(upstream);
    return local !== undefined && this.upstream(local) === upstream ? local : undefined;
  }
}

/** A topic with one hole. */
class Template {
  readonly before: string;
  readonly after: string;

  constructor(key: string, template: string) {
    const [before = '', after, ...more] = template.split(TOPIC);
    if (after === undefined || more.length > 0) {
      throw new HashikeError('HSK-4101', `upstream.mqtt.${key} must hold ${TOPIC} once`, { template });
    }
    this.before = before;
    this.after = after;
    checked(key, this.apply('x'));
  }

  apply(topic: string): string {
    return `${this.before}${topic}${this.after}`;
  }

  extract(topic: string): string | undefined {
    const long = topic.length > this.before.length + this.after.length;
    if (!long || !topic.startsWith(this.before) || !topic.endsWith(this.after)) return undefined;
    return topic.slice(this.before.length, topic.length - this.after.length);
  }
}

function checked(key: string, topic: string): void {
  try {
    validateTopic(topic);
  } catch (error) {
    throw new HashikeError('HSK-4101', `upstream.mqtt.${key} makes no valid topic`, { topic }, error);
  }
}
