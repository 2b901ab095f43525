import { HashikeError } from '../../base/errors.ts';
import { decodeMessage, peekType } from '../../wire/long-form.ts';
import { MessageType } from '../../wire/numbers.ts';
import type { CapturedEvent, Place } from './captured-event.ts';
import { ConnectionIds, isPathMessage, readDatagram } from './datagram.ts';
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
  readonly #connectionIds = new ConnectionIds();
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
        this.#learn(frame);
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

  /** A ticket tells a port and a connection ID that datagrams come with. */
  #learn(frame: Uint8Array): void {
    if (peekType(frame) !== MessageType.UDP_TICKET) return;
    try {
      const ticket = decodeMessage(frame);
      if (ticket.type !== MessageType.UDP_TICKET) return;
      this.#udpPorts.add(ticket.port);
      this.#connectionIds.add(ticket.connectionId);
    } catch (error) {
      // What is wrong with it is told where it is printed.
      if (!(error instanceof HashikeError)) throw error;
    }
  }

  #datagram(
    { from, to, fromPort, toPort, payload, payloadLength }: Datagram,
    time: bigint | undefined,
  ): void {
    const toServer = this.#udpPorts.has(toPort);
    if (!toServer && !this.#udpPorts.has(fromPort)) return this.#ignore('UDP datagrams of other ports');
    const place: Place = { time, transport: 'udp', from, to, sender: toServer ? 'client' : 'server' };
    if (isPathMessage(payload)) return this.#frame(place, payload);
    const datagram = readDatagram(payload, payloadLength, this.#connectionIds.lengthIn(payload));
    if (!datagram) return this.#ignore('UDP datagrams too short for a header and a tag');
    this.#messages += 1;
    this.#emit({ kind: 'datagram', place, datagram });
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
