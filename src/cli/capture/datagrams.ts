import { hex } from '../../base/bytes.ts';
import { HashikeError } from '../../base/errors.ts';
import { DatagramChannel } from '../../wire/datagram-channel.ts';
import { DATAGRAM_TAG_BYTES, messagesIn, readDatagram, type SealedDatagram } from '../../wire/datagram.ts';
import { decodeMessage, peekType } from '../../wire/long-form.ts';
import { MessageType } from '../../wire/numbers.ts';
import type { DatagramHeader } from './captured-event.ts';

/** Tickets that are remembered. */
const MAX_TICKETS = 4096;

/** What was found in a datagram: the messages where the capture has its ticket, and so its key; else the header. */
export type CapturedDatagram =
  | { readonly kind: 'opened'; readonly messages: readonly Uint8Array[] }
  | { readonly kind: 'sealed'; readonly header: DatagramHeader }
  | { readonly kind: 'foreign' };

/** Who opens what the client sends is the server, and the other way round. */
interface Ticket {
  readonly fromClient: DatagramChannel;
  readonly fromServer: DatagramChannel;
}

/** Reads datagrams (clause 8) with the keys of the tickets that were captured. */
export class Datagrams {
  readonly #tickets = new Map<string, Ticket>();

  /** Takes note of a UDP_TICKET; returns the port that it tells. Anything else is nothing to it. */
  learn(frame: Uint8Array): number | undefined {
    if (peekType(frame) !== MessageType.UDP_TICKET || this.#tickets.size === MAX_TICKETS) return undefined;
    return attempt(() => {
      const ticket = decodeMessage(frame);
      if (ticket.type !== MessageType.UDP_TICKET) return undefined;
      const { connectionId, key, port } = ticket;
      this.#tickets.set(hex(connectionId), {
        fromClient: new DatagramChannel({ side: 'server', connectionId, key }),
        fromServer: new DatagramChannel({ side: 'client', connectionId, key }),
      });
      return port;
    });
  }

  read(bytes: Uint8Array, sender: 'client' | 'server'): CapturedDatagram {
    const sealed = attempt(() => readDatagram(bytes));
    if (!sealed) return { kind: 'foreign' };
    const messages = attempt(() => this.#open(sealed, sender));
    return messages ? { kind: 'opened', messages } : { kind: 'sealed', header: headerOf(sealed) };
  }

  /** Throws what `DatagramChannel.open` and `messagesIn` throw. */
  #open(sealed: SealedDatagram, sender: 'client' | 'server'): readonly Uint8Array[] | undefined {
    const ticket = this.#tickets.get(hex(sealed.connectionId));
    const channel = sender === 'client' ? ticket?.fromClient : ticket?.fromServer;
    return channel && messagesIn(channel.open(sealed).payload);
  }
}

function headerOf({ connectionId, low16, sealed }: SealedDatagram): DatagramHeader {
  const payloadLength = sealed.length - DATAGRAM_TAG_BYTES;
  return { connectionId, packetNumber: low16, payloadLength, tag: sealed.subarray(payloadLength) };
}

/** What `action` returns, or undefined when it throws an error of ours: captured bytes may be wrong in any way. */
function attempt<T>(action: () => T): T | undefined {
  try {
    return action();
  } catch (error) {
    if (error instanceof HashikeError) return undefined;
    throw error;
  }
}
