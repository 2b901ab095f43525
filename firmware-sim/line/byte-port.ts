/** One end of a serial connection, as a UART sees it: bytes go out whether or not anybody listens, and bytes come in. */
export interface BytePort {
  write(bytes: Uint8Array): void;
  /** Sets the one listener. */
  onData(listener: (bytes: Uint8Array) => void): void;
  /** Where the port can make its far end wait: true stops the bytes that come in, false lets them come again. */
  hold?(held: boolean): void;
}
