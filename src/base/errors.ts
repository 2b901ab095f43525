/** Whose fault it is: ours, the caller's (a user or the configuration), the peer's bytes, or the environment. */
export type Fault = 'bug' | 'caller' | 'peer' | 'environment';

interface ErrorKind {
  readonly fault: Fault;
  readonly meaning: string;
  /** What the reader can do about it. */
  readonly cure: string;
}

/**
 * Every error the gateway can state, banded by layer: 10xx base, 11xx wire, 12xx topic, 20xx session, 21xx links, 22xx spool,
 * 23xx profiles, 24xx config, 30xx broker, 31xx client, 40xx inlets, 41xx bridges, 42xx admin, 50xx gateway, 60xx cli.
 * `docs/errors.md` is compared with this table by a test.
 */
export const errorTable = {
  'HSK-1001': {
    fault: 'bug',
    meaning: 'an internal invariant does not hold',
    cure: 'report it with the log; the gateway restarts by itself under systemd',
  },
  'HSK-1002': {
    fault: 'environment',
    meaning: 'several steps of a shutdown failed',
    cure: 'see the causes listed with it',
  },
  'HSK-1101': {
    fault: 'peer',
    meaning: 'a message, section or frame is cut short',
    cure: 'the sender announces more bytes than it sends; see docs/protocol.md for the layout',
  },
  'HSK-1102': {
    fault: 'peer',
    meaning: 'a message, section or frame does not follow the specification',
    cure: 'compare the bytes with docs/protocol.md; `hashike decode` prints their fields',
  },
  'HSK-1103': {
    fault: 'peer',
    meaning: 'a message, section or frame is longer than the limit',
    cure: 'send less at once or raise the named limit',
  },
  'HSK-1104': {
    fault: 'peer',
    meaning: 'an alias was used that nobody declared',
    cure: 'declare it with ALIAS_ENTRY in CONNECT, with ALIAS, or in the client profile of the configuration',
  },
  'HSK-1105': {
    fault: 'caller',
    meaning: 'a message cannot be encoded: a field is out of range',
    cure: 'keep the field within the range that docs/protocol.md gives',
  },
  'HSK-1106': {
    fault: 'peer',
    meaning: 'a datagram is not authentic',
    cure: 'nothing, if it happens seldom: a stranger sent it, or it was damaged on its way; it is dropped and counted',
  },
  'HSK-1107': {
    fault: 'peer',
    meaning: 'a datagram was received before, or is too old to tell',
    cure: 'nothing: networks repeat datagrams; it is dropped and counted',
  },
  'HSK-1108': {
    fault: 'environment',
    meaning: 'the key of a UDP path is used up',
    cure: 'nothing to do: what is sent goes by TCP until the client has a new ticket; see clause 8.2 of docs/protocol.md',
  },
  'HSK-1109': {
    fault: 'peer',
    meaning: 'the content of a frame does not fit the layout of its alias',
    cure: 'give the alias in the client profile of the configuration the layout that the node sends, or let the node declare its own',
  },
  'HSK-1201': {
    fault: 'caller',
    meaning: 'a topic is malformed',
    cure: 'use 1 to 1024 bytes of UTF-8, levels split by /, without NUL, + and #',
  },
  'HSK-1202': {
    fault: 'caller',
    meaning: 'a topic filter is malformed',
    cure: 'use 1 to 1024 bytes of UTF-8; + alone in a level stands for one level, # alone in the last one for the rest',
  },
  'HSK-2001': {
    fault: 'peer',
    meaning: 'a message number skips one on a link that keeps order',
    cure: 'the sender numbers its reliable messages 1, 2, 3 … without gaps; see clause 5.1 of docs/protocol.md',
  },
  'HSK-2002': {
    fault: 'peer',
    meaning: 'a message was acknowledged that was never sent',
    cure: 'ACK carries the number of the last message that was received in order; see clause 5.2 of docs/protocol.md',
  },
  'HSK-2003': {
    fault: 'peer',
    meaning: 'a message came that has no place here',
    cure: 'see the column “direction” in clause 3.3 of docs/protocol.md; the short form is for serial links',
  },
  'HSK-2004': {
    fault: 'environment',
    meaning: 'the numbers of a session are used up',
    cure: 'nothing to do: the client connects anew and begins with number 1',
  },
  'HSK-2005': {
    fault: 'caller',
    meaning: 'a message is longer than this link can carry, even in fragments',
    cure: 'send less at once or raise the MTU of the link (serial: maxFrameBytes)',
  },
  'HSK-2006': {
    fault: 'environment',
    meaning: 'a peer has lost state: it claims less than it had acknowledged',
    cure: 'nothing to do: the session ends and the client connects anew; see clause 6.5.6 of docs/protocol.md, and find out why the peer forgot',
  },
  'HSK-2101': {
    fault: 'environment',
    meaning: 'a network connection broke',
    cure: 'nothing, if it happens seldom: the session resumes; else look at the network between the two',
  },
  'HSK-2102': {
    fault: 'environment',
    meaning: 'the gateway cannot listen on a network address',
    cure: 'see the cause: give that listener another port or an address of this machine, or stop the program that uses it',
  },
  'HSK-2103': {
    fault: 'environment',
    meaning: 'a network connection could not be made',
    cure: 'see whether the server runs and whether host and port are right',
  },
  'HSK-2104': {
    fault: 'caller',
    meaning: 'a certificate, its key or an authority cannot be used for TLS',
    cure: 'see the cause: both must be PEM, without a passphrase, the key must belong to the certificate, and the gateway’s user must be able to read them; `openssl x509 -in FILE -text` shows one',
  },
  'HSK-2105': {
    fault: 'environment',
    meaning: 'the certificate of a server is not trusted',
    cure: 'name the authority that signed it (`--ca FILE`, or `tls.ca` of the client), use a host name that stands in the certificate, and see whether it has expired',
  },
  'HSK-2106': {
    fault: 'environment',
    meaning: 'a server does not speak hashike.tlv.1 over WebSocket at that address',
    cure: 'see whether host, port and path are right (the gateway has it at /tlv), and whether a proxy between the two lets WebSocket pass',
  },
  'HSK-2130': {
    fault: 'environment',
    meaning: 'the gateway cannot listen on a UDP address',
    cure: 'see the cause: give listen.udp another port or an address of this machine, or stop the program that uses it',
  },
  'HSK-2131': {
    fault: 'environment',
    meaning: 'a client cannot open a UDP socket to its server',
    cure: 'nothing: best-effort messages go by TCP. The cause says what the operating system or a firewall refuses',
  },
  'HSK-2150': {
    fault: 'environment',
    meaning: 'a serial device is not there',
    cure: 'plug it in; `ls -l /dev/serial/by-id/` shows the stable names to configure. The gateway goes on looking for it',
  },
  'HSK-2151': {
    fault: 'environment',
    meaning: 'a serial device may not be opened by this user',
    cure: 'add the user of the gateway to the group of the device: `usermod -a -G dialout hashike`, then restart the service',
  },
  'HSK-2152': {
    fault: 'environment',
    meaning: 'a serial device is in use by another program',
    cure: '`fuser -v DEVICE` names the program; stop it (often ModemManager, a getty or a terminal program). The gateway goes on trying',
  },
  'HSK-2153': {
    fault: 'caller',
    meaning: 'a serial device cannot be opened as configured',
    cure: 'name a serial device and a baud rate that it supports',
  },
  'HSK-2154': {
    fault: 'environment',
    meaning: 'a serial device went away while it was open',
    cure: 'plug it in again and check cable and power; the gateway reopens it by itself',
  },
  'HSK-2155': {
    fault: 'environment',
    meaning: 'the serial driver cannot be loaded',
    cure: 'install the package with its prebuilt drivers (linux x64 or arm64): `npm ci` in its folder',
  },
  'HSK-2201': {
    fault: 'environment',
    meaning: 'the files of the spool cannot be opened',
    cure: 'make the spool directory in gateway.stateDirectory readable and writable for the gateway’s user, and mind its disk',
  },
  'HSK-2202': {
    fault: 'caller',
    meaning: 'another gateway uses the spool',
    cure: 'stop the other gateway, or give this one a gateway.stateDirectory of its own',
  },
  'HSK-2203': {
    fault: 'caller',
    meaning: 'the spool was written by a newer version of the gateway',
    cure: 'run that version or a later one; nothing was changed',
  },
  'HSK-2204': {
    fault: 'environment',
    meaning: 'the file of the spool is damaged or is not a spool',
    cure: 'nothing was deleted: stop the gateway, copy spool.db and spool.db-wal away, try `sqlite3 spool.db .recover` on the copy, then move the files out of the directory and start again with an empty spool',
  },
  'HSK-2205': {
    fault: 'environment',
    meaning: 'the disk of the spool is full',
    cure: 'make room on it, or lower spool.maxBytesPerConsumer; nothing of what was refused is kept, and writing goes on once there is room',
  },
  'HSK-2206': {
    fault: 'environment',
    meaning: 'the disk of the spool failed to read or write',
    cure: 'look for errors of the disk in the kernel log (`dmesg`); replace a worn memory card',
  },
  'HSK-2207': {
    fault: 'caller',
    meaning: 'more waits for the spool than may be kept in memory',
    cure: 'hold publishers back while isFull() says so; nothing of what was refused is kept',
  },
  'HSK-2208': {
    fault: 'environment',
    meaning: 'the spool is closed or its thread has ended',
    cure: 'start the gateway again, or let systemd do it; the log tells why the thread ended',
  },
  'HSK-2209': {
    fault: 'environment',
    meaning: 'a stored record cannot be decoded',
    cure: 'the record is counted and skipped; check the disk, and see whether an older version runs on files of a newer one',
  },
  'HSK-2301': {
    fault: 'peer',
    meaning: 'content does not fit the encoding that the profile gives it',
    cure: 'compare the encoding in the profile with what the node sends; upstream the bytes are kept, as base64 with the problem beside them',
  },
  'HSK-2302': {
    fault: 'caller',
    meaning: 'a value does not fit the profile',
    cure: 'send what the text says would fit, or change the profile in the configuration',
  },
  'HSK-2303': {
    fault: 'caller',
    meaning: 'a profile contradicts itself',
    cure: 'correct it; `hashike check` tells where it stands in the configuration',
  },
  'HSK-2304': {
    fault: 'caller',
    meaning: 'the payload of a command cannot be read',
    cure: 'send the format that the setting upstream.mqtt.payload names; docs/payloads.md has an example of each',
  },
  'HSK-2401': {
    fault: 'caller',
    meaning: 'the configuration has errors',
    cure: 'correct the places that the text lists; docs/configuration.md describes every key',
  },
  'HSK-2402': {
    fault: 'caller',
    meaning: 'the configuration file cannot be read',
    cure: 'give the path of a readable file with --config',
  },
  'HSK-2403': {
    fault: 'environment',
    meaning: 'the process that reads the configuration failed, or took longer than 30 s',
    cure: 'see the cause and what that process wrote to standard error: it needs 80 MB of memory for a moment, one process more, and a file that can be read at once',
  },
  'HSK-3001': {
    fault: 'caller',
    meaning: 'the token does not allow this topic or filter',
    cure: 'add a filter to `publish` or `subscribe` of the client in the configuration',
  },
  'HSK-3002': {
    fault: 'caller',
    meaning: 'two clients of the configuration have the same name, token or certificate',
    cure: 'give each client a name and a token or certificate of its own, or let them share one entry with `shared: true`',
  },
  'HSK-3003': {
    fault: 'peer',
    meaning: 'a client would exceed a limit',
    cure: 'let it use less, or raise the limit that the text names',
  },
  'HSK-3004': {
    fault: 'peer',
    meaning: 'a client asks for something this server does not offer',
    cure: 'see clause 3.3.2 of docs/protocol.md for what is optional',
  },
  'HSK-3005': {
    fault: 'peer',
    meaning: 'a client broke the rules of the protocol',
    cure: 'compare what it sends with docs/protocol.md; `hashike decode` prints the fields of a message',
  },
  'HSK-3006': {
    fault: 'peer',
    meaning: 'a subscriber does not keep up with what it subscribed to',
    cure: 'let it read faster, subscribe to less or with BEST_EFFORT, or raise limits.sendQueueBytes',
  },
  'HSK-3007': {
    fault: 'peer',
    meaning: 'a client that shares its token has no usable CLIENT_NAME',
    cure: 'let it send CLIENT_NAME: 1 to 64 bytes without /, +, # and control characters',
  },
  'HSK-3008': {
    fault: 'environment',
    meaning: 'the gateway has lost state: a client holds acknowledgements that it does not remember',
    cure: 'clients connect anew by themselves; what was acknowledged and not yet delivered upstream is lost: look for a restored backup of gateway.stateDirectory, or a disk that says fsync is done when it is not',
  },
  'HSK-3101': {
    fault: 'caller',
    meaning: 'the server does not accept the token',
    cure: 'see the `clients` of its configuration; `hashike token new` makes a token and its hash',
  },
  'HSK-3102': {
    fault: 'caller',
    meaning: 'the server refused the connection',
    cure: 'see the reason it gave',
  },
  'HSK-3103': {
    fault: 'caller',
    meaning: 'the server refused a message',
    cure: 'see the reason it gave: a topic that the token does not allow, a malformed topic, or a limit',
  },
  'HSK-3104': {
    fault: 'environment',
    meaning: 'the connection to the server is closed',
    cure: 'connect again; what was not acknowledged before may or may not have arrived',
  },
  'HSK-3105': {
    fault: 'caller',
    meaning: 'more waits to be sent than may be kept',
    cure: 'wait for earlier publishes to be acknowledged',
  },
  'HSK-3106': {
    fault: 'caller',
    meaning: 'the address of a server is malformed',
    cure: 'write it as hashike://host[:port], hashikes://host[:port] for TLS, or ws:// or wss:// for WebSocket',
  },
  'HSK-3107': {
    fault: 'environment',
    meaning: 'the server is busy',
    cure: 'connect again later; the server says when',
  },
  'HSK-3108': {
    fault: 'environment',
    meaning: 'the server did not answer a question in time',
    cure: 'see whether the connection stands, and ask again',
  },
  'HSK-3109': {
    fault: 'environment',
    meaning: 'a session ended before the upstream had a message that the gateway had acknowledged',
    cure: 'nothing, where the ACK is enough: the gateway has the message on disk and delivers it; there is no more to be learned of it',
  },
  'HSK-3110': {
    fault: 'caller',
    meaning: 'a publish wants to be confirmed, and the client did not ask for that when it connected',
    cure: 'connect with `confirm: true`',
  },
  'HSK-4001': {
    fault: 'peer',
    meaning: 'a CoAP message is malformed',
    cure: 'compare what the device sends with RFC 7252, section 3',
  },
  'HSK-4002': {
    fault: 'environment',
    meaning: 'the gateway cannot listen for CoAP',
    cure: 'see the cause: give `coap` another port or an address of this machine, or stop the program that uses it',
  },
  'HSK-4003': {
    fault: 'peer',
    meaning: 'a CoAP request has no token, or one that nobody knows',
    cure: 'give it as query t=<token> or as option 65000; `hashike token new` makes a token; shared ones do not go with CoAP',
  },
  'HSK-4004': {
    fault: 'peer',
    meaning: 'a CoAP request cannot be understood',
    cure: 'see clause 10 of docs/protocol.md for paths, queries and content formats',
  },
  'HSK-4005': {
    fault: 'peer',
    meaning: 'a CoAP request asks for a topic that has no value yet',
    cure: 'ask again after something was published to it, or observe it',
  },
  'HSK-4006': {
    fault: 'peer',
    meaning: 'a CoAP request has a content format that is not offered',
    cure: 'use 42 (octet-stream), 0 (text/plain), 50 (JSON) or 60 (CBOR)',
  },
  'HSK-4007': {
    fault: 'peer',
    meaning: 'a CoAP request asks for a representation that cannot be given',
    cure: 'leave Accept out to get the bytes; name the content in a profile to get text, JSON or CBOR',
  },
  'HSK-4008': {
    fault: 'environment',
    meaning: 'the gateway has no room for what a CoAP device publishes',
    cure: 'the device sends it again later; see why the upstream does not take what is queued, or raise spool.maxBytesPerConsumer',
  },
  'HSK-4101': {
    fault: 'caller',
    meaning: 'the upstream bridge cannot work as configured',
    cure: 'correct the key of upstream.mqtt that the message names',
  },
  'HSK-4102': {
    fault: 'environment',
    meaning: 'the upstream broker cannot be reached',
    cure: 'check upstream.mqtt.url, the name server, the uplink and the firewall; the gateway keeps what comes on disk and goes on trying',
  },
  'HSK-4103': {
    fault: 'caller',
    meaning: 'the upstream broker refused the user or the password',
    cure: 'correct upstream.mqtt.username and the content of passwordFile, or allow the user at the broker',
  },
  'HSK-4104': {
    fault: 'caller',
    meaning: 'the upstream broker and the gateway do not trust each other’s certificate',
    cure: 'check upstream.mqtt.tls (ca, cert, key), the host name in the url, the broker’s certificate and the clock of the gateway',
  },
  'HSK-4105': {
    fault: 'caller',
    meaning: 'a file of the upstream’s configuration cannot be read',
    cure: 'make the file exist and be readable for the user of the gateway',
  },
  'HSK-4106': {
    fault: 'environment',
    meaning: 'the upstream broker refused the connection',
    cure: 'see the reason it gave; check version and clientId of upstream.mqtt, and the limits of the broker',
  },
  'HSK-4107': {
    fault: 'environment',
    meaning: 'the connection to the upstream broker was lost',
    cure: 'nothing: the gateway connects again and sends what was not acknowledged; if it happens often, look for another client with the same clientId',
  },
  'HSK-4108': {
    fault: 'caller',
    meaning: 'the upstream broker refused the subscription to commands',
    cure: 'allow the user of the gateway to subscribe to the topics of upstream.mqtt.commands',
  },
  'HSK-4109': {
    fault: 'environment',
    meaning: 'the upstream broker will never take a message',
    cure: 'allow its topic at the broker, or correct upstream.mqtt.topic; the message is kept in the queue upstream/mqtt/refused, see `hashike status`',
  },
  'HSK-4201': {
    fault: 'environment',
    meaning: 'the status socket cannot be opened',
    cure: 'make gateway.runtimeDirectory writable for the gateway, or stop the other gateway that uses it',
  },
  'HSK-4202': {
    fault: 'environment',
    meaning: 'no gateway answers on the status socket',
    cure: 'start the gateway, or name its configuration with --config; root or the gateway’s own user may ask',
  },
  'HSK-5001': {
    fault: 'environment',
    meaning: 'a part of the gateway could not start',
    cure: 'see the cause listed with it',
  },
  'HSK-6001': {
    fault: 'caller',
    meaning: 'an argument of the command line is wrong',
    cure: 'see `hashike COMMAND --help`',
  },
  'HSK-6002': {
    fault: 'environment',
    meaning: 'a capture is damaged or of a kind that is not read',
    cure: 'give a pcap or pcapng file as tcpdump and Wireshark write it, or with --serial the bytes of a line in hex or binary',
  },
  'HSK-6003': {
    fault: 'environment',
    meaning: 'a capture cannot be read',
    cure: 'check that the file exists and that this user may read it',
  },
} as const satisfies Readonly<Record<string, ErrorKind>>;

export type ErrorCode = keyof typeof errorTable;

/** Small facts that go with an error: names, numbers, never secrets. */
export type ErrorContext = Readonly<Record<string, string | number | boolean | undefined>>;

/** The only error the gateway throws on purpose: coded, with its cause and context. */
export class HashikeError extends Error {
  readonly code: ErrorCode;
  readonly context: ErrorContext;

  /** @param detail what exactly went wrong, in a sentence for people, without the code. */
  constructor(code: ErrorCode, detail: string, context: ErrorContext = {}, cause?: unknown) {
    super(`${detail} [${code}]`, cause === undefined ? undefined : { cause });
    this.name = 'HashikeError';
    this.code = code;
    this.context = context;
  }

  get fault(): Fault {
    return errorTable[this.code].fault;
  }

  /** What the reader can do about it. */
  get cure(): string {
    return errorTable[this.code].cure;
  }

  /** For a log line about somebody else's fault, where a stack trace of ours would tell nothing. */
  get facts(): Readonly<Record<string, unknown>> {
    return { ...this.context, code: this.code, error: this.message, cure: this.cure };
  }
}

/** The text of anything that was thrown. */
export function describeError(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

/** Fails with HSK-1001 unless `condition` holds. */
export function invariant(condition: boolean, what: string): asserts condition {
  if (!condition) throw new HashikeError('HSK-1001', what);
}
