import type { Place, Transport } from './captured-event.ts';
import type { Segment } from './network-layers.ts';
import { type Protocol, TcpDirection } from './tcp-direction.ts';
import { type HeldBytes, TcpReassembly } from './tcp-reassembly.ts';

/** Connections that are followed at a time; beyond them the one that was silent longest is let go. */
const MAX_CONVERSATIONS = 16_384;

export interface ConversationsSink {
  message(place: Place, frame: Uint8Array): void;
  note(place: Place, text: string): void;
  /** A connection turned out to be this. Called once for each. */
  recognised(protocol: Protocol): void;
  foreignMessage(): void;
}

/** One side of a connection: what it sends. */
interface Side {
  readonly from: string;
  readonly to: string;
  readonly reassembly: TcpReassembly;
  readonly direction: TcpDirection;
}

interface Conversation {
  readonly sides: Map<string, Side>;
  /** Address of the client. */
  client: string | undefined;
  protocol: Protocol | undefined;
}

/** Follows TCP connections from segment to segment. */
export class TcpConversations {
  readonly #ports: ReadonlySet<number>;
  readonly #sink: ConversationsSink;
  readonly #conversations = new Map<string, Conversation>();
  readonly #held: HeldBytes = { bytes: 0 };
  #now: bigint | undefined;

  /** @param ports those that are ours: whatever is said there is taken for ours. The set may grow. */
  constructor(ports: ReadonlySet<number>, sink: ConversationsSink) {
    this.#ports = ports;
    this.#sink = sink;
  }

  take(segment: Segment, time: bigint | undefined): void {
    this.#now = time;
    const { from, to, syn, acknowledged } = segment;
    const key = from < to ? `${from} ${to}` : `${to} ${from}`;
    let conversation = this.#conversations.get(key);
    if (syn && conversation?.sides.get(from)?.reassembly.startsAnother(segment.sequence)) {
      this.#finish(conversation);
      conversation = undefined;
    }
    conversation ??= { sides: new Map(), client: undefined, protocol: undefined };
    // The newest stands last.
    this.#conversations.delete(key);
    this.#conversations.set(key, conversation);
    conversation.client ??= this.#clientOf(segment);
    // What the other side acknowledges comes first: it may give up what would otherwise wait.
    if (acknowledged !== undefined) conversation.sides.get(to)?.reassembly.acknowledged(acknowledged);
    if (syn || segment.payloadLength > 0) this.#sideOf(conversation, segment).reassembly.take(segment);
    if (segment.rst) this.#finish(conversation);
    this.#forgetSilent();
  }

  end(): void {
    for (const conversation of this.#conversations.values()) this.#finish(conversation);
    this.#conversations.clear();
  }

  #clientOf({ from, to, fromPort, toPort, syn, acknowledged }: Segment): string | undefined {
    if (syn) return acknowledged === undefined ? from : to;
    if (this.#ports.has(toPort)) return from;
    return this.#ports.has(fromPort) ? to : undefined;
  }

  #sideOf(conversation: Conversation, segment: Segment): Side {
    const { from, to } = segment;
    const known = conversation.sides.get(from);
    if (known) return known;
    const direction = new TcpDirection({
      atOurs: () =>
        this.#ports.has(segment.fromPort) || this.#ports.has(segment.toPort) || isOurs(conversation.protocol),
      fromStart: segment.syn,
      sink: {
        recognised: (protocol) => this.#recognise(conversation, from, to, protocol),
        message: (frame) => this.#sink.message(this.#placeOf(conversation, from, to), frame),
        note: (text) => this.#sink.note(this.#placeOf(conversation, from, to), text),
        foreignMessage: () => this.#sink.foreignMessage(),
      },
    });
    const side = { from, to, direction, reassembly: new TcpReassembly(direction, this.#held) };
    conversation.sides.set(from, side);
    return side;
  }

  #recognise(conversation: Conversation, from: string, to: string, protocol: Protocol): void {
    if (conversation.protocol !== undefined) return;
    conversation.protocol = protocol;
    this.#sink.recognised(protocol);
    if (protocol === 'tls') {
      this.#sink.note(
        this.#placeOf(conversation, from, to),
        'TLS: this connection is encrypted, nothing of it can be read',
      );
    }
  }

  #placeOf({ client, protocol }: Conversation, from: string, to: string): Place {
    const transport: Transport = protocol === 'websocket' ? 'websocket' : 'tcp';
    const sender = client === undefined ? undefined : client === from ? 'client' : 'server';
    return { time: this.#now, transport, from, to, sender };
  }

  #finish({ sides }: Conversation): void {
    for (const { reassembly, direction } of sides.values()) {
      reassembly.end();
      direction.end();
    }
  }

  #forgetSilent(): void {
    if (this.#conversations.size <= MAX_CONVERSATIONS) return;
    const [oldest] = this.#conversations;
    if (!oldest) return;
    this.#finish(oldest[1]);
    this.#conversations.delete(oldest[0]);
  }
}

function isOurs(protocol: Protocol | undefined): boolean {
  return protocol === 'tcp' || protocol === 'websocket';
}
