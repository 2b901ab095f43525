import type { Clock } from '../base/clock.ts';
import { ByteReader, sameBytes } from '../base/bytes.ts';
import { HashikeError } from '../base/errors.ts';
import type { Random } from '../base/random.ts';
import { UdpBatch } from '../links/udp-batch.ts';
import { sameAddress, type UdpAddress } from '../links/udp.ts';
import { messagesIn, type SealedDatagram } from '../wire/datagram.ts';
import type { DatagramChannel } from '../wire/datagram-channel.ts';
import { decodeMessage, encodeMessage, peekType } from '../wire/long-form.ts';
import { MessageType } from '../wire/numbers.ts';

const ECHO_BYTES = 4;

export interface UdpPathOptions {
  readonly channel: DatagramChannel;
  readonly clock: Clock;
  readonly random: Random;
  /** Without proof for so long that the client hears, nothing is sent by UDP. */
  readonly silenceMs: number;
  /** Puts a datagram on the network; false when it could not. */
  readonly send: (datagram: Uint8Array, to: UdpAddress) => boolean;
  /** A PUBLISH that came by UDP. */
  readonly receive: (frame: Uint8Array) => void;
  /** Counts a datagram or message that was dropped. */
  readonly dropped: (reason: string) => void;
}

/** An address that has yet to prove that it receives. */
interface Trial {
  readonly address: UdpAddress;
  /** Of the PING that was sent there: nobody else can know it. */
  readonly echo: number;
}

/**
 * The server's side of a UDP path (clauses 8.3 and 8.4). Only authenticated datagrams say where the client is, and nothing but a PING, which is no longer than
 * what caused it, goes to an address before its PONG has come from there.
 */
export class UdpPath {
  readonly #options: UdpPathOptions;
  readonly #batch: UdpBatch;
  #address: UdpAddress | undefined;
  #provenAt = Number.NEGATIVE_INFINITY;
  #trial: Trial | undefined;
  #closed = false;

  constructor(options: UdpPathOptions) {
    this.#options = options;
    this.#batch = new UdpBatch(options.channel.capacity, (payload) => this.#sendBatch(payload));
  }

  /** CONNECTION_ID. */
  get connectionId(): Uint8Array {
    return this.#options.channel.connectionId;
  }

  /** Whether the client hears what is sent. */
  get up(): boolean {
    const { clock, silenceMs, channel } = this.#options;
    return !this.#closed && clock.now() - this.#provenAt <= silenceMs && !channel.spent;
  }

  /** Takes a best-effort message for the client; false when it has to go by TCP. */
  offer(frame: Uint8Array): boolean {
    return this.up && this.#batch.add(frame);
  }

  /** A datagram with the CONNECTION_ID of this path. */
  heard(datagram: SealedDatagram, from: UdpAddress): void {
    const { channel, dropped } = this.#options;
    try {
      const { payload, newest } = channel.open(datagram);
      const probed = this.#obey(payload, from);
      const moved = this.#address === undefined || !sameAddress(from, this.#address);
      const length = datagram.header.length + datagram.sealed.length;
      // An older one that was held up on its way tells nothing of where the client is now.
      if (newest && (probed || moved) && !this.#closed) this.#challenge(from, length);
    } catch (error) {
      if (!(error instanceof HashikeError)) throw error;
      dropped(dropReasons[error.code] ?? 'malformed');
    }
  }

  /** Its ticket is void: nothing is sent or heard any more. */
  close(): void {
    this.#closed = true;
    this.#batch.clear();
  }

  /** Does what the messages say; whether there is a UDP_PROBE among them. */
  #obey(payload: Uint8Array, from: UdpAddress): boolean {
    let probed = false;
    for (const frame of messagesIn(payload)) {
      if (peekType(frame) === MessageType.PUBLISH) {
        this.#options.receive(frame);
        continue;
      }
      const message = decodeMessage(frame);
      if (message.type === MessageType.PONG) this.#pong(message.echo, from);
      else if (message.type === MessageType.UDP_PROBE && sameBytes(message.connectionId, this.connectionId)) {
        probed = true;
      } else this.#options.dropped('unexpected-message');
    }
    return probed;
  }

  /** Has the client prove that it receives at `address`, in at most `budget` bytes (clause 8.3.3). */
  #challenge(address: UdpAddress, budget: number): void {
    const { random } = this.#options;
    if (!this.#trial || !sameAddress(this.#trial.address, address)) {
      this.#trial = { address, echo: new ByteReader(random.bytes(ECHO_BYTES)).u32() };
    }
    const { echo } = this.#trial;
    this.#send({ type: MessageType.PING, timestamp: 0, echo }, address, budget);
  }

  /** The client is where it answers from (clause 8.3.4). */
  #pong(echo: number, from: UdpAddress): void {
    const trial = this.#trial;
    if (trial?.echo !== echo || !sameAddress(from, trial.address)) {
      this.#options.dropped('stale-pong');
      return;
    }
    this.#trial = undefined;
    this.#address = from;
    this.#provenAt = this.#options.clock.now();
    this.#send({ type: MessageType.UDP_CONFIRM, timestamp: 0, connectionId: this.connectionId }, from);
  }

  #send(message: Parameters<typeof encodeMessage>[0], to: UdpAddress, budget = Infinity): void {
    const { channel, send, dropped } = this.#options;
    const datagram = channel.seal(encodeMessage(message));
    if (datagram.length > budget) dropped('reflection');
    else if (!send(datagram, to)) dropped('send-queue-full');
  }

  #sendBatch(payload: Uint8Array): void {
    const { channel, send, dropped } = this.#options;
    if (!this.#address) return;
    if (channel.spent || !send(channel.seal(payload), this.#address)) dropped('send-queue-full');
  }
}

const dropReasons: Readonly<Record<string, string>> = {
  'HSK-1106': 'not-authentic',
  'HSK-1107': 'repeated',
  'HSK-1108': 'key-used-up',
};
