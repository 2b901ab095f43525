import { HashikeError } from '../base/errors.ts';
import { DatagramCipher, Direction } from './datagram-cipher.ts';
import { datagramCapacity, datagramHeader, type SealedDatagram, widenPacketNumber } from './datagram.ts';
import { DatagramWindow } from './datagram-window.ts';

/** Packets of either direction under one key (clause 8.2.4). */
const PACKETS_PER_KEY = 2 ** 23;
/** Packets that may fail under one key before it counts as attacked (clause 8.2.4). */
const FORGERIES_PER_KEY = 2 ** 20;

export interface DatagramChannelOptions {
  readonly side: 'client' | 'server';
  /** 2-8 bytes. */
  readonly connectionId: Uint8Array;
  /** 16-byte AES key, 8-byte salt. */
  readonly key: Uint8Array;
  readonly packetsPerKey?: number;
  readonly forgeriesPerKey?: number;
}

/** What was in a datagram. */
export interface Opened {
  readonly payload: Uint8Array;
  /** No later one was received before. */
  readonly newest: boolean;
}

/** One side's view of the datagrams under one ticket: numbers, seals and opens them (clause 8.2). What does not open changes nothing but a count. */
export class DatagramChannel {
  readonly connectionId: Uint8Array;
  readonly #ours: Direction;
  readonly #theirs: Direction;
  readonly #cipher: DatagramCipher;
  readonly #window = new DatagramWindow();
  readonly #packetsPerKey: number;
  readonly #forgeriesPerKey: number;
  #sent = 0;
  #forgeries = 0;

  constructor(options: DatagramChannelOptions) {
    const { side, connectionId, key } = options;
    this.connectionId = connectionId;
    this.#ours = side === 'client' ? Direction.FROM_CLIENT : Direction.FROM_SERVER;
    this.#theirs = side === 'client' ? Direction.FROM_SERVER : Direction.FROM_CLIENT;
    this.#cipher = new DatagramCipher(key);
    this.#packetsPerKey = options.packetsPerKey ?? PACKETS_PER_KEY;
    this.#forgeriesPerKey = options.forgeriesPerKey ?? FORGERIES_PER_KEY;
  }

  /** Most bytes of payload in one datagram. */
  get capacity(): number {
    return datagramCapacity(this.connectionId.length);
  }

  /** Whether it is time to ask for a new ticket. */
  get worn(): boolean {
    const half = this.#packetsPerKey / 2;
    return this.#sent >= half || this.#window.highest >= half || this.#forgeries >= this.#forgeriesPerKey;
  }

  /** Whether nothing may be sent or opened any more. */
  get spent(): boolean {
    return this.#sent >= this.#packetsPerKey || this.#forgeries >= this.#forgeriesPerKey;
  }

  /** The next datagram. Throws HSK-1108 when the key is used up. */
  seal(payload: Uint8Array): Uint8Array {
    this.#refuseWhenSpent();
    this.#sent += 1;
    const header = datagramHeader(this.connectionId, this.#sent);
    return this.#cipher.seal(this.#ours, this.#sent, header, payload);
  }

  /**
   * Opens a datagram of the other side. Throws HSK-1106 when it is not authentic, HSK-1107 when it was received before or is too old to tell, and HSK-1108 when
   * the key is used up.
   */
  open({ header, low16, sealed }: SealedDatagram): Opened {
    this.#refuseWhenSpent();
    const { highest } = this.#window;
    const packetNumber = widenPacketNumber(low16, highest + 1);
    if (!this.#window.isFresh(packetNumber)) {
      throw new HashikeError('HSK-1107', 'a datagram came again, or too late', { packetNumber });
    }
    const payload = this.#openSealed(packetNumber, header, sealed);
    this.#window.note(packetNumber);
    return { payload, newest: packetNumber > highest };
  }

  #openSealed(packetNumber: number, header: Uint8Array, sealed: Uint8Array): Uint8Array {
    try {
      return this.#cipher.open(this.#theirs, packetNumber, header, sealed);
    } catch (error) {
      this.#forgeries += 1;
      throw error;
    }
  }

  #refuseWhenSpent(): void {
    if (this.spent) throw new HashikeError('HSK-1108', 'the key of a UDP path is used up');
  }
}
