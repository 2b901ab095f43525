import { Backoff } from '../base/backoff.ts';
import { sameBytes } from '../base/bytes.ts';
import type { Clock } from '../base/clock.ts';
import { HashikeError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { Random } from '../base/random.ts';
import { UdpBatch } from '../links/udp-batch.ts';
import { type UdpAddress, UdpSocket } from '../links/udp.ts';
import { PathProber } from '../session/path-prober.ts';
import { messagesIn, readDatagram } from '../wire/datagram.ts';
import { DatagramChannel } from '../wire/datagram-channel.ts';
import { decodeMessage, encodeMessage, peekType } from '../wire/long-form.ts';
import type { Message, UdpTicket } from '../wire/message.ts';
import { MessageType } from '../wire/numbers.ts';

/** Probes are not further apart (clause 8.4.1). */
const MOST_PROBE_MS = 5000;
/** The pause between attempts grows from one interval of probes to this many. */
const MOST_INTERVALS = 60;
/** A probe without answer is followed by the next one after this part of the interval. */
const RETRY_PART = 5;

export interface UdpSideOptions {
  /** IP address of the server. */
  readonly host: string;
  /** Between probes, ms. */
  readonly probeMs: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Sends UDP_OPEN on the link. */
  readonly ask: (requestId: number) => void;
  /** A PUBLISH that came by UDP. */
  readonly receive: (frame: Uint8Array) => void;
}

/** What belongs to one ticket. */
interface Path {
  readonly channel: DatagramChannel;
  readonly socket: UdpSocket;
  readonly server: UdpAddress;
  readonly batch: UdpBatch;
}

/** The client's side of the UDP path of one connection (clause 8): opens it, keeps it open, and comes back to it when it broke. */
export class UdpSide {
  readonly #options: UdpSideOptions;
  readonly #prober: PathProber;
  #path: Path | undefined;
  /** REQUEST_ID of the last UDP_OPEN. */
  #asked = 0;
  #closed = false;

  constructor(options: UdpSideOptions) {
    const { clock, random } = options;
    const probeMs = Math.min(options.probeMs, MOST_PROBE_MS);
    this.#options = options;
    this.#prober = new PathProber({
      clock,
      backoff: new Backoff({ initialMs: probeMs, maxMs: MOST_INTERVALS * probeMs, random }),
      probeMs,
      retryMs: probeMs / RETRY_PART,
      open: () => this.#open(),
      probe: () => this.#probe(),
    });
  }

  /** Whether best-effort messages take it at the moment. */
  get up(): boolean {
    return this.#prober.up;
  }

  start(): void {
    this.#prober.start();
  }

  /** Takes a best-effort message for the server; false when it has to go by the link. */
  offer(frame: Uint8Array): boolean {
    const path = this.#path;
    return this.#prober.up && path !== undefined && !path.channel.spent && path.batch.add(frame);
  }

  /** UDP_TICKET came. */
  ticket(ticket: UdpTicket): void {
    if (this.#closed || ticket.requestId !== this.#asked) return;
    this.#take(ticket).catch((error: unknown) => {
      // The prober waits for it in vain, and tries again later.
      this.#options.log.debug({ err: error }, 'the UDP path could not be opened');
    });
  }

  close(): void {
    this.#closed = true;
    this.#prober.stop();
    this.#drop();
  }

  #open(): void {
    this.#drop();
    this.#asked += 1;
    this.#options.ask(this.#asked);
  }

  async #take({ requestId, connectionId, key, port }: UdpTicket): Promise<void> {
    const { host, log } = this.#options;
    const channel = new DatagramChannel({ side: 'client', connectionId, key });
    const server = { host, port };
    const socket = await UdpSocket.connect({
      ...server,
      log,
      received: (datagram) => this.#received(channel, datagram),
    });
    if (this.#closed || requestId !== this.#asked) {
      await socket.close();
      return;
    }
    const batch = new UdpBatch(channel.capacity, (payload) => this.#sendBatch(payload));
    this.#path = { channel, socket, server, batch };
    this.#prober.ticketed();
  }

  #probe(): void {
    const channel = this.#path?.channel;
    if (!channel || channel.worn) this.#prober.start();
    else this.#send({ type: MessageType.UDP_PROBE, timestamp: 0, connectionId: channel.connectionId });
  }

  #received(channel: DatagramChannel, bytes: Uint8Array): void {
    if (channel !== this.#path?.channel) return;
    try {
      const datagram = readDatagram(bytes);
      if (!sameBytes(datagram.connectionId, channel.connectionId)) return;
      for (const frame of messagesIn(channel.open(datagram).payload)) this.#obey(frame);
    } catch (error) {
      if (!(error instanceof HashikeError)) throw error;
      this.#options.log.debug({ err: error }, 'a datagram was dropped');
    }
  }

  #obey(frame: Uint8Array): void {
    if (peekType(frame) === MessageType.PUBLISH) {
      this.#options.receive(frame);
      return;
    }
    const message = decodeMessage(frame);
    if (message.type === MessageType.PING) {
      this.#send({ type: MessageType.PONG, timestamp: 0, echo: message.echo ?? 0 });
    } else if (message.type === MessageType.UDP_CONFIRM) {
      this.#prober.confirmed();
    }
  }

  #send(message: Message): void {
    this.#sendBatch(encodeMessage(message));
  }

  /** What cannot be sent is lost, as any datagram may be. */
  #sendBatch(payload: Uint8Array): void {
    const path = this.#path;
    if (path && !path.channel.spent) path.socket.send(path.channel.seal(payload), path.server);
  }

  #drop(): void {
    const path = this.#path;
    this.#path = undefined;
    path?.batch.clear();
    path?.socket.close().catch((error: unknown) => {
      this.#options.log.debug({ err: error }, 'a UDP socket could not be closed');
    });
  }
}
