import type { IClientPublishOptions, IPublishPacket } from 'mqtt';
import type { Publication } from '../wire/publication.ts';
import type { TopicMap } from './mqtt-topics.ts';

/** One PUBLISH as it goes upstream. */
export interface UpstreamMessage {
  readonly topic: string;
  readonly payload: Buffer;
  readonly options: IClientPublishOptions;
}

/** What a PUBLISH carries beyond its payload, at QoS 1. The properties are MQTT 5's; 3.1.1 has none. */
export function publishOptions(
  publication: Publication,
  context: {
    readonly version: 4 | 5;
    readonly id: string;
    readonly contentType: string;
    readonly topics: TopicMap;
    /** Epoch ms. */
    readonly now: number;
  },
): IClientPublishOptions {
  const { retain, taken, origin, expiresAt, responseTopic, correlation } = publication;
  if (context.version === 4) return { qos: 1, retain };
  return {
    qos: 1,
    retain,
    properties: {
      contentType: context.contentType,
      userProperties: {
        id: context.id,
        client: origin.clientId,
        time: String(taken.at),
        ...(taken.uncertainty === undefined ? {} : { uncertainty: String(taken.uncertainty) }),
      },
      // Whole seconds, and 0 would mean at once.
      ...(expiresAt === undefined
        ? {}
        : { messageExpiryInterval: Math.max(1, Math.ceil((expiresAt - context.now) / 1000)) }),
      ...(responseTopic === undefined ? {} : { responseTopic: context.topics.answerUpstream(responseTopic) }),
      ...(correlation === undefined ? {} : { correlationData: Buffer.from(correlation) }),
    },
  };
}

/** The bytes of a PUBLISH at most, for a broker that says how many it takes. */
export function packetBytes({ topic, payload, options }: UpstreamMessage): number {
  const { contentType, userProperties, responseTopic, correlationData } = options.properties ?? {};
  const texts = [topic, contentType, responseTopic, ...Object.entries(userProperties ?? {}).flat(2)];
  const textBytes = texts.reduce((sum, text) => sum + 4 + Buffer.byteLength(text ?? ''), 0);
  return payload.length + textBytes + (correlationData?.length ?? 0) + 32;
}

/** What a command from upstream carries beyond its topic and content. */
export function commandFields(
  packet: IPublishPacket,
  topics: TopicMap,
  now: number,
): Pick<Publication, 'reliable' | 'retain' | 'expiresAt' | 'responseTopic' | 'correlation' | 'taken'> {
  const { messageExpiryInterval, responseTopic, correlationData } = packet.properties ?? {};
  return {
    reliable: packet.qos > 0,
    retain: false,
    expiresAt: messageExpiryInterval === undefined ? undefined : now + messageExpiryInterval * 1000,
    responseTopic: responseTopic === undefined ? undefined : topics.answerLocal(responseTopic),
    correlation: correlationData && new Uint8Array(correlationData),
    taken: { at: now },
  };
}
