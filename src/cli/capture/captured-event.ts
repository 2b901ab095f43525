/** Which medium carried a message. */
export type Transport = 'tcp' | 'websocket' | 'udp' | 'serial';

/** When and where something was captured. */
export interface Place {
  /** Nanoseconds since the Unix epoch, where the capture says. */
  readonly time?: bigint | undefined;
  readonly transport: Transport;
  /** `address:port`. */
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  /** Who speaks, as far as it can be told. */
  readonly sender?: 'client' | 'server' | undefined;
  /** Of a serial log: offset of the frame's first byte. */
  readonly offset?: number | undefined;
}

/** What can be read of a datagram (clause 8.1) without its key. */
export interface DatagramHeader {
  readonly connectionId: Uint8Array;
  /** The low 16 bits. */
  readonly packetNumber: number;
  readonly payloadLength: number;
  readonly tag: Uint8Array;
}

/** What is found in a capture: a frame of either form, a datagram, or something to be said. */
export type CapturedEvent =
  | { readonly kind: 'frame'; readonly place: Place; readonly frame: Uint8Array }
  | { readonly kind: 'datagram'; readonly place: Place; readonly datagram: DatagramHeader }
  | { readonly kind: 'note'; readonly place: Place; readonly text: string };
