import type { CapturedEvent, Place } from './captured-event.ts';
import { Datagrams } from './datagrams.ts';
import { LineReader } from './line-reader.ts';
import { type Datagram, unwrap } from './network-layers.ts';
import type { Packet } from './packet.ts';
import { TcpConversations } from './tcp-conversations.ts';
import type { Protocol } from './tcp-direction.ts';

/** What a capture held. */
export interface CaptureSummary {
  readonly packets: number;
  /** Messages, frames and datagrams that were told. */
  readonly messages: number;
  /** Connections of ours. */
  readonly connections: number;
  /** What is nothing of ours or cannot be read, by what it is, and how often. */
  readonly ignored: ReadonlyMap<string, number>;
}

const named: Readonly<Partial<Record<Protocol, string>>> = {
  tls: 'TCP connections encrypted with TLS',
  foreign: 'TCP connections of other protocols',
};

/** Finds in the packets of a capture what is ours, and tells it as events in the order of the file. Nothing in a packet makes it fail. */
export class CaptureDecoder {
  readonly #emit: (event: CapturedEvent) => void;
  readonly #udpPorts: Set<number>;
  readonly #conversations: TcpConversations;
  readonly #datagrams = new Datagrams();
  readonly #ignored = new Map<string, number>();
  #packets = 0;
  #messages = 0;
  #connections = 0;

  /** @param options.ports TCP and UDP ports of the gateway. Sessions at other TCP ports are found by how they begin. */
  constructor(options: { readonly ports: readonly number[]; readonly emit: (event: CapturedEvent) => void }) {
    this.#emit = options.emit;
    this.#udpPorts = new Set(options.ports);
    this.#conversations = new TcpConversations(new Set(options.ports), {
      message: (place, frame) => {
        const port = this.#datagrams.learn(frame);
        if (port !== undefined) this.#udpPorts.add(port);
        this.#frame(place, frame);
      },
      note: (place, text) => this.#emit({ kind: 'note', place, text }),
      recognised: (protocol) => {
        const name = named[protocol];
        if (name === undefined) this.#connections += 1;
        else this.#ignore(name);
      },
      foreignMessage: () => this.#ignore('WebSocket messages that are not binary'),
    });
  }

  take(packet: Packet): void {
    this.#packets += 1;
    const unwrapped = unwrap(packet);
    switch (unwrapped.kind) {
      case 'tcp':
        this.#conversations.take(unwrapped, packet.time);
        break;
      case 'udp':
        this.#datagram(unwrapped, packet.time);
        break;
      case 'serial':
        this.#line(unwrapped.bytes, packet);
        break;
      case 'other':
        this.#ignore(unwrapped.reason);
        break;
    }
  }

  /** Call it after the last packet. */
  end(): CaptureSummary {
    this.#conversations.end();
    return {
      packets: this.#packets,
      messages: this.#messages,
      connections: this.#connections,
      ignored: this.#ignored,
    };
  }

  #frame(place: Place, frame: Uint8Array): void {
    this.#messages += 1;
    this.#emit({ kind: 'frame', place, frame });
  }

  #datagram(
    { from, to, fromPort, toPort, payload, payloadLength }: Datagram,
    time: bigint | undefined,
  ): void {
    const sender = this.#udpPorts.has(toPort) ? 'client' : 'server';
    if (sender === 'server' && !this.#udpPorts.has(fromPort))
      return this.#ignore('UDP datagrams of other ports');
    if (payload.length < payloadLength) return this.#ignore('UDP datagrams that the capture cut');
    const place: Place = { time, transport: 'udp', from, to, sender };
    const found = this.#datagrams.read(payload, sender);
    switch (found.kind) {
      case 'foreign':
        this.#ignore('UDP datagrams of our ports that are none of ours');
        break;
      case 'opened':
        for (const message of found.messages) this.#frame(place, message);
        break;
      case 'sealed':
        this.#messages += 1;
        this.#emit({ kind: 'datagram', place, datagram: found.header });
        break;
    }
  }

  /** A packet holds whole frames, each closed by 0x00, which the last one may lack. */
  #line(bytes: Uint8Array, { time, way }: Packet): void {
    const place: Place = { time, transport: 'serial', sender: way && (way === 'in' ? 'client' : 'server') };
    const line = new LineReader({
      frame: (frame) => this.#frame(place, frame),
      skipped: (reason, length) =>
        this.#emit({ kind: 'note', place, text: `${length} bytes were passed over: ${reason}` }),
    });
    // In step from the first byte on.
    line.feed(Uint8Array.of(0));
    line.feed(bytes);
    if (bytes.at(-1) !== 0) line.feed(Uint8Array.of(0));
  }

  #ignore(what: string): void {
    this.#ignored.set(what, (this.#ignored.get(what) ?? 0) + 1);
  }
}
