/** Where a publication came from; together with the gateway's name it is the identifier by which a consumer tells a duplicate. */
export interface Origin {
  /** The publisher's CLIENT_ID, or the name of the inlet or bridge. */
  readonly clientId: string;
  /** Hex of the SESSION_ID; undefined where the publisher has no session (CoAP, upstream commands). */
  readonly sessionId?: string | undefined;
  /** MESSAGE_ID; undefined for best effort. */
  readonly messageId?: number | undefined;
  /** Index in a batch that shares one MESSAGE_ID. */
  readonly part?: number | undefined;
}

/** When a reading was taken. */
export interface TakenAt {
  /** Milliseconds since the Unix epoch. */
  readonly at: number;
  /** Half the width of the interval, in milliseconds, in which the true time lies; undefined when nobody knows. */
  readonly uncertainty?: number | undefined;
}

/** What a PUBLISH says once the form it travelled in is gone: topic resolved, time absolute, origin known. */
export interface Publication {
  readonly topic: string;
  /** Raw content sections, padded, in order. */
  readonly content: Uint8Array;
  readonly reliable: boolean;
  readonly retain: boolean;
  /** Milliseconds since the Unix epoch after which nobody wants it any more. */
  readonly expiresAt?: number | undefined;
  readonly responseTopic?: string | undefined;
  readonly correlation?: Uint8Array | undefined;
  readonly origin: Origin;
  readonly taken: TakenAt;
}
