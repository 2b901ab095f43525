import { connectAsync, type IClientOptions, type IPublishPacket, type MqttClient } from 'mqtt';

/** What came upstream, as an application there sees it. */
export interface Heard {
  readonly topic: string;
  readonly payload: string;
  readonly packet: IPublishPacket;
}

/** An application upstream that hears everything, and publishes commands. */
export class UpstreamListener implements AsyncDisposable {
  readonly heard: Heard[] = [];
  readonly client: MqttClient;

  private constructor(client: MqttClient) {
    this.client = client;
    client.on('message', (topic, payload, packet) => {
      this.heard.push({ topic, payload: payload.toString(), packet });
    });
  }

  /** @param options.session name of a session that survives, so that nothing is missed while the broker is away. */
  static async connect(
    url: string,
    options: IClientOptions & { readonly session?: string; readonly filter?: string } = {},
  ): Promise<UpstreamListener> {
    const { session, filter = '#', ...rest } = options;
    const client = await connectAsync(url, {
      reconnectPeriod: 100,
      ...(session === undefined ? {} : { clientId: session, clean: false }),
      ...rest,
      ...(rest.protocolVersion === 5 ? { properties: { sessionExpiryInterval: 3600 } } : {}),
    });
    client.on('error', () => undefined);
    const listener = new UpstreamListener(client);
    await client.subscribeAsync(filter, { qos: 1, rap: true });
    return listener;
  }

  /** Identifiers in the JSON payloads of readings, in order of arrival. */
  get ids(): readonly string[] {
    return this.heard
      .filter(({ payload }) => payload.startsWith('{'))
      .map(({ payload }) => (JSON.parse(payload) as { id: string }).id);
  }

  /** The same, each at its first arrival only. */
  get distinctIds(): readonly string[] {
    return [...new Set(this.ids)];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client.endAsync(true);
  }
}
