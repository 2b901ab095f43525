import { z } from 'zod';

/**
 * The one schema of the configuration: it validates, gives the defaults, and is printed as documentation. Durations are
 * milliseconds and sizes bytes, with the unit at the end of the key. Unknown keys are errors.
 */
const port = z.int().min(0).max(65_535);
const positive = z.int().min(1);
const host = z.string().min(1);
const path = z.string().min(1);
const name = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/,
    'must be 1 to 64 of A-Z a-z 0-9 . _ - and begin with a letter or digit',
  );

export const contentEncodings = [
  'u8',
  'u16',
  'u32',
  'u64',
  'i8',
  'i16',
  'i32',
  'i64',
  'f32',
  'f64',
  'bool',
  'utf8',
  'bytes',
  'cbor',
] as const;

type ContentEncoding = (typeof contentEncodings)[number];

export function isIntegerEncoding(encoding: ContentEncoding): boolean {
  return /^[iu]\d/.test(encoding);
}

/** Whether values of the encoding differ in length, so that it stands last in a layout. */
export function isVariableLength(encoding: ContentEncoding): boolean {
  return encoding === 'utf8' || encoding === 'bytes' || encoding === 'cbor';
}

const contentSchema = z.strictObject({
  type: z.int().min(0x8000).max(0xffff).describe('content section type, such as 0x8001'),
  name: z.string().min(1).max(64).describe('name upstream'),
  unit: z
    .string()
    .max(32)
    .optional()
    .describe('unit, best one of the SenML registry (RFC 8428), such as Cel'),
  encoding: z.enum(contentEncodings).describe('how the bytes hold the value, big-endian'),
  scale: z.number().optional().describe('fixed-point: value = integer x scale + offset; integers only'),
  offset: z.number().optional().describe('fixed-point: see scale'),
});

const aliasSchema = z.strictObject({
  alias: z.int().min(0).max(255).describe('number that stands for topic and layout (clause 6.1)'),
  topic: z.string().min(1).describe('topic; {client} stands for the name of the client'),
  layout: z
    .array(z.string().min(1))
    .default([])
    .describe('names of contents, concatenated in this order; empty: opaque bytes'),
});

export const profileSchema = z.strictObject({
  contents: z.array(contentSchema).default([]),
  aliases: z.array(aliasSchema).default([]),
  commands: z
    .array(z.string().min(1))
    .default([])
    .describe(
      'filters of a durable, reliable subscription that the gateway keeps for the client; {client} stands for the name of the client',
    ),
});

export const clientSchema = z.strictObject({
  name: name.describe('its CLIENT_ID, and what {client} stands for'),
  token: z
    .string()
    .regex(/^sha256:[0-9a-f]{64}$/, 'must be sha256: and 64 hex digits; `hashike token new` makes one')
    .optional()
    .describe('hash of the token; needed unless there is a certificate'),
  certificate: z
    .string()
    .min(1)
    .max(64)
    .optional()
    .describe(
      'common name (CN) of a client certificate that an authority of clientCa has signed: whoever shows it needs no token',
    ),
  expires: z
    .string()
    .regex(
      /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d)?(Z|[+-]\d\d:\d\d))?$/,
      'must be a date such as 2027-01-01, or a time such as 2027-01-01T12:00:00Z',
    )
    .refine((text) => Number.isFinite(Date.parse(text)), 'must be a date of the calendar')
    .optional()
    .describe('when the token or certificate ceases to be good; a date begins at 00:00 UTC'),
  publish: z
    .array(z.string().min(1))
    .default([])
    .describe('filters of topics it may publish; {client} stands for the name of the client'),
  subscribe: z
    .array(z.string().min(1))
    .default([])
    .describe('filters it may subscribe to; {client} stands for the name of the client'),
  profile: name.optional().describe('one of profiles: what its content means'),
  shared: z
    .boolean()
    .default(false)
    .describe('several clients use this token and tell themselves apart by CLIENT_NAME'),
});

export const serialSchema = z.strictObject({
  path: path.describe('device, best a stable name below /dev/serial/by-id/'),
  baud: z.int().min(50).max(4_000_000).default(115_200).describe('bits per second'),
  name: name.optional().describe('for logs and status; default: the last part of the path'),
  maxFrameBytes: z.int().min(32).max(65_540).default(1024).describe('MTU (clause 7.2)'),
  reopenMs: positive.default(250).describe('how often to look for a device that is gone'),
});

export const tcpSchema = z.strictObject({
  host: host
    .default('127.0.0.1')
    .describe('address to bind; anything beyond loopback opens the gateway to the network'),
  port: port.default(7858),
});

const serverTls = {
  certFile: path.describe('PEM file of the certificate, followed by those between it and its authority'),
  keyFile: path.describe('PEM file of its key, readable by the gateway alone'),
  clientCa: path
    .optional()
    .describe('PEM file of the authorities of client certificates; without it none are asked for'),
  requireClientCert: z
    .boolean()
    .default(false)
    .describe('refuses clients without a certificate of clientCa; else it is their choice'),
  reloadCheckMs: z
    .int()
    .min(100)
    .default(10_000)
    .describe('how often to look whether these files have changed; SIGHUP reads them at once'),
};

export const serverTlsSchema = z.strictObject(serverTls);

export const tlsListenerSchema = z.strictObject({
  host: host.default('127.0.0.1').describe('address to bind'),
  port: port.default(8858),
  ...serverTls,
});

export const udpSchema = z.strictObject({
  host: host.default('127.0.0.1').describe('address to bind; it has to be reached as that of tcp or tls is'),
  port: port.default(7858),
  silenceMs: z
    .int()
    .min(1000)
    .default(15_000)
    .describe('a client that has not proven for so long that it hears gets nothing by UDP (clause 8.4.3)'),
});

export const webSocketSchema = z.strictObject({
  host: host.default('127.0.0.1').describe('address to bind; beyond loopback use tls, or a proxy that does'),
  port: port.default(7859),
  origins: z
    .array(z.string().min(1))
    .default([])
    .describe(
      'origins whose pages may connect, such as https://example.org, beside pages of the same host; `*`: all. Programs other than browsers name no origin and may always',
    ),
  tls: serverTlsSchema.optional(),
});

export const coapSchema = z.strictObject({
  host: host
    .default('::1')
    .describe(
      'address to bind; CoAP has no transport security here: keep it to loopback or a secured network such as Thread',
    ),
  port: port.default(5683),
  ackTimeoutMs: positive
    .default(2000)
    .describe(
      'ACK_TIMEOUT of RFC 7252; also the least time between best-effort notifications to one observer',
    ),
  maxRetransmit: z.int().min(0).max(10).default(4).describe('MAX_RETRANSMIT of RFC 7252'),
  maxLatencyMs: positive
    .default(10_000)
    .describe('MAX_LATENCY of RFC 7252: how long a datagram may be on its way'),
  pendingRequests: positive.default(256).describe('requests that wait for the disk; more get 5.03'),
  rememberedRequests: z
    .int()
    .min(16)
    .default(10_000)
    .describe('requests, and numbers given with id=, by which repetitions are told'),
  observers: positive.default(256).describe('observations; beyond it the one unheard for longest goes'),
  observerQueue: positive
    .default(32)
    .describe(
      'reliable notifications that wait for one observer, but for the commands of its profile, which wait on disk; more are dropped',
    ),
  observerCheckMs: positive
    .default(300_000)
    .describe('a best-effort notification is confirmable when nothing was heard of its observer for so long'),
});

const tlsSchema = z.strictObject({
  ca: path.optional().describe('PEM file of the certificate authority; default: the system’s'),
  cert: path.optional().describe('PEM file of the client certificate'),
  key: path.optional().describe('PEM file of its key'),
});

export const mqttSchema = z.strictObject({
  url: z
    .string()
    .regex(
      /^mqtts?:\/\/[^/@\s]+$/,
      'must be mqtt://host[:port] or mqtts://host[:port], without user or password',
    )
    .describe('the upstream broker'),
  version: z.literal([4, 5]).default(5).describe('MQTT 5, or 4 for MQTT 3.1.1'),
  clientId: z.string().min(1).max(128).optional().describe('default: hashike- and the name of the gateway'),
  username: z.string().min(1).optional().describe('user at the upstream broker'),
  passwordFile: path.optional().describe('file with the password, readable by the gateway alone'),
  tls: tlsSchema.optional(),
  keepAliveMs: z.int().min(1000).default(30_000).describe('how often the upstream is heard of at least'),
  window: z.int().min(1).max(1000).default(32).describe('messages in flight without PUBACK'),
  forward: z.array(z.string().min(1)).default(['#']).describe('filters of local topics that go upstream'),
  topic: z
    .string()
    .default('{gateway}/{topic}')
    .describe('topic upstream; {gateway} and {topic} are filled in'),
  commands: z
    .string()
    .default('{gateway}/commands/{topic}')
    .describe('where commands come from; {topic} becomes the local topic'),
  payload: z
    .enum(['json', 'senml', 'raw'])
    .default('json')
    .describe('form of readings and commands upstream; see docs/payloads.md'),
  will: z
    .strictObject({
      topic: z.string().min(1).default('{gateway}/status'),
      online: z.string().default('online'),
      offline: z.string().default('offline'),
    })
    .prefault({})
    .describe(
      'retained state of the gateway: `online` once connected, `offline` by the broker when it is gone',
    ),
});

const limitsSchema = z.strictObject({
  messageBytes: z.int().min(64).max(65_532).default(65_532).describe('payload of one message'),
  connections: positive.default(1000).describe('TCP, TLS and WebSocket connections at once'),
  handshakeMs: positive
    .default(10_000)
    .describe('time a connection has for each of its handshakes: TLS, WebSocket, and that of the protocol'),
  unfinishedHandshakes: positive.default(64).describe('connections in each of these handshakes'),
  wrongTokenDelayMs: z
    .int()
    .min(0)
    .default(1000)
    .describe('delay of the answer to the first wrong token of an address; each further one doubles it'),
  wrongTokenMaxDelayMs: z.int().min(0).default(8000).describe('to this at most; best below handshakeMs'),
  wrongTokenMemoryMs: positive
    .default(600_000)
    .describe('an address without a wrong token for so long begins anew'),
  wrongTokensAtOnce: positive
    .default(4)
    .describe('wrong tokens of one address whose answers are delayed; more are turned away at once'),
  wrongTokenAddresses: positive.default(1000).describe('addresses that are remembered with wrong tokens'),
  connectionsPerToken: positive
    .optional()
    .describe('sessions of clients that share a token; default: no more than connections'),
  subscriptionsPerToken: positive.default(10_000).describe('filters of all sessions of one token'),
  messagesPerSecond: positive
    .optional()
    .describe(
      'messages that are read of the clients of one token; what is more waits, unread. By UDP, where nothing can wait, it is dropped. Default: no limit',
    ),
  messageBurst: positive.default(1000).describe('messages that may come at once after a pause'),
  subscriptionsPerClient: positive.default(100).describe('filters of one session'),
  watchesPerClient: positive.default(100).describe('filters whose presence one session watches'),
  presenceGraceMs: z
    .int()
    .min(0)
    .default(5000)
    .describe('how long a client that connects anew stays present where it has not subscribed again yet'),
  queuedPerClient: z
    .int()
    .min(64)
    .default(10_000)
    .describe(
      'messages that wait on disk for one client, and half of spool.maxBytesPerConsumer; beyond it the oldest go',
    ),
  sendQueueBytes: z.int().min(4096).default(1_048_576).describe('send queue of one session'),
  unsettledMessages: positive
    .default(256)
    .describe('reliable messages of one session that wait for the disk; then reading pauses'),
  keepAliveMs: z.int().min(1000).default(60_000).describe('what CONNACK grants at most'),
  resumeWindowMs: positive.default(60_000).describe('what CONNACK grants at most'),
  sessionKeepMs: positive
    .default(7 * 86_400_000)
    .describe('how long sessions and contexts are remembered on disk'),
  retainedMessages: positive.default(10_000).describe('topics with a retained message; more are rejected'),
  retainedBytes: z
    .int()
    .min(4096)
    .default(16_777_216)
    .describe('topics and contents of retained messages, in memory and on disk; more are rejected'),
  lastValues: positive
    .default(10_000)
    .describe('topics whose newest value is kept in memory, for CoAP to read'),
});

const spoolSchema = z.strictObject({
  maxBytesPerConsumer: z
    .int()
    .min(65_536)
    .default(268_435_456)
    .describe('on disk; then publishers are held back'),
});

export const configSchema = z.strictObject({
  gateway: z.strictObject({
    name: name.describe('part of every identifier and topic upstream'),
    stateDirectory: path.default('/var/lib/hashike').describe('holds the spool'),
    runtimeDirectory: path.default('/run/hashike').describe('holds the socket of `hashike status`'),
  }),
  log: z
    .strictObject({
      level: z
        .enum(['debug', 'info', 'warn', 'error'])
        .default('info')
        .describe('least level that is logged'),
    })
    .prefault({}),
  listen: z
    .strictObject({
      tcp: tcpSchema.optional(),
      tls: tlsListenerSchema.optional(),
      websocket: webSocketSchema.optional(),
      udp: udpSchema
        .optional()
        .describe('takes best-effort messages of TCP and TLS clients as datagrams (clause 8)'),
    })
    .prefault({}),
  serial: z.array(serialSchema).default([]),
  coap: coapSchema.optional(),
  upstream: z.strictObject({ mqtt: mqttSchema.optional() }).prefault({}),
  profiles: z.record(name, profileSchema).default({}),
  clients: z.array(clientSchema).default([]),
  spool: spoolSchema.prefault({}),
  limits: limitsSchema.prefault({}),
});

/** The configuration with every default filled in. */
export type Config = z.infer<typeof configSchema>;
export type ProfileConfig = z.infer<typeof profileSchema>;
export type ClientConfig = z.infer<typeof clientSchema>;
export type ServerTlsConfig = z.infer<typeof serverTlsSchema>;
export type SerialConfig = z.infer<typeof serialSchema>;
export type MqttConfig = z.infer<typeof mqttSchema>;
export type CoapConfig = z.infer<typeof coapSchema>;
export type LimitsConfig = z.infer<typeof limitsSchema>;
