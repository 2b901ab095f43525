import type { Packet } from './packet.ts';

/** A segment of TCP with the part of its payload that was captured. */
export interface Segment {
  readonly kind: 'tcp';
  /** `address:port`, IPv6 addresses in brackets. */
  readonly from: string;
  readonly to: string;
  readonly fromPort: number;
  readonly toPort: number;
  readonly sequence: number;
  /** The next byte that the sender expects; undefined without the ACK flag. */
  readonly acknowledged: number | undefined;
  readonly syn: boolean;
  readonly rst: boolean;
  readonly payload: Uint8Array;
  /** Bytes of payload that the segment had on the wire. */
  readonly payloadLength: number;
}

/** A datagram of UDP with what was captured of it. */
export interface Datagram {
  readonly kind: 'udp';
  readonly from: string;
  readonly to: string;
  readonly fromPort: number;
  readonly toPort: number;
  readonly payload: Uint8Array;
  readonly payloadLength: number;
}

/** Bytes of a serial line. */
export interface SerialBytes {
  readonly kind: 'serial';
  readonly bytes: Uint8Array;
}

/** A packet that is nothing of ours, and why. */
export interface OtherPacket {
  readonly kind: 'other';
  readonly reason: string;
}

/** What the layers below us carry. */
export type Unwrapped = Segment | Datagram | SerialBytes | OtherPacket;

/** LINKTYPE_USER0: serial frames (docs/protocol.md, clause 7), as `scripts/hashike.lua` takes them too. */
const USER0 = 147;
const ETHERTYPE_IPV4 = 0x0800;
const ETHERTYPE_IPV6 = 0x86dd;
const vlanTags: ReadonlySet<number> = new Set([0x8100, 0x88a8, 0x9100]);
/** AF_INET6 of Linux, NetBSD, FreeBSD and Darwin. */
const familiesOfIpv6: ReadonlySet<number> = new Set([10, 24, 28, 30]);
const TCP = 6;
const UDP = 17;

/** Takes link, network and transport layer off a packet. Never throws: what is cut short or malformed is `other`. */
export function unwrap({ linkType, bytes, originalLength }: Packet): Unwrapped {
  // What the capture cut off the end of the packet.
  const missing = Math.max(0, originalLength - bytes.length);
  switch (linkType) {
    case USER0:
      return { kind: 'serial', bytes };
    case 1:
      return ethernet(bytes, missing);
    case 0:
    case 108:
      return loopback(bytes, missing);
    case 12:
    case 14:
    case 101:
    case 228:
    case 229:
      return ip(bytes, missing);
    case 113:
      return bytes.length < 16 ? cutShort : byEtherType(u16(bytes, 14), bytes.subarray(16), missing);
    case 276:
      return bytes.length < 20 ? cutShort : byEtherType(u16(bytes, 0), bytes.subarray(20), missing);
    case undefined:
    default:
      return other(`packets of link type ${linkType}`);
  }
}

function ethernet(bytes: Uint8Array, missing: number): Unwrapped {
  let at = 12;
  while (at + 2 <= bytes.length && vlanTags.has(u16(bytes, at))) at += 4;
  if (at + 2 > bytes.length) return cutShort;
  return byEtherType(u16(bytes, at), bytes.subarray(at + 2), missing);
}

/** The address family comes in the byte order of the machine (0) or of the network (108); all that matter are below 256. */
function loopback(bytes: Uint8Array, missing: number): Unwrapped {
  if (bytes.length < 4) return cutShort;
  const family = (bytes[0] ?? 0) | (bytes[3] ?? 0);
  if (family !== 2 && !familiesOfIpv6.has(family)) return notIp;
  return ip(bytes.subarray(4), missing);
}

function byEtherType(etherType: number, bytes: Uint8Array, missing: number): Unwrapped {
  return etherType === ETHERTYPE_IPV4 || etherType === ETHERTYPE_IPV6 ? ip(bytes, missing) : notIp;
}

function ip(bytes: Uint8Array, missing: number): Unwrapped {
  const version = (bytes[0] ?? 0) >> 4;
  if (version === 4) return ipv4(bytes, missing);
  return version === 6 ? ipv6(bytes, missing) : notIp;
}

function ipv4(bytes: Uint8Array, missing: number): Unwrapped {
  const headerLength = ((bytes[0] ?? 0) & 0x0f) * 4;
  if (headerLength < 20 || bytes.length < headerLength) return cutShort;
  if ((u16(bytes, 6) & 0x3fff) !== 0) return fragment;
  // The length is 0 where the network card was to cut the packet.
  const length = u16(bytes, 2) || bytes.length + missing;
  if (length < headerLength) return cutShort;
  const address = (at: number): string => bytes.subarray(at, at + 4).join('.');
  return transport(
    bytes[9] ?? 0,
    bytes.subarray(headerLength, length),
    length - headerLength,
    address(12),
    address(16),
  );
}

function ipv6(bytes: Uint8Array, missing: number): Unwrapped {
  if (bytes.length < 40) return cutShort;
  const end = 40 + (u16(bytes, 4) || bytes.length + missing - 40);
  let next = bytes[6] ?? 0;
  let at = 40;
  // Hop-by-hop, routing and destination options: next header u8, length u8 in 8 bytes beyond the first 8.
  while (next === 0 || next === 43 || next === 60) {
    if (at + 8 > bytes.length) return cutShort;
    next = bytes[at] ?? 0;
    at += ((bytes[at + 1] ?? 0) + 1) * 8;
  }
  if (next === 44) return fragment;
  if (at > end) return cutShort;
  return transport(next, bytes.subarray(at, end), end - at, ipv6Address(bytes, 8), ipv6Address(bytes, 24));
}

/** @param length bytes that the packet had on the wire; `bytes` may be fewer. */
function transport(protocol: number, bytes: Uint8Array, length: number, from: string, to: string): Unwrapped {
  if (protocol !== TCP && protocol !== UDP) return other('packets that are neither TCP nor UDP');
  if (bytes.length < (protocol === TCP ? 20 : 8)) return cutShort;
  const fromPort = u16(bytes, 0);
  const toPort = u16(bytes, 2);
  const common = { from: `${from}:${fromPort}`, to: `${to}:${toPort}`, fromPort, toPort };
  const headerLength = protocol === TCP ? ((bytes[12] ?? 0) >> 4) * 4 : 8;
  if (headerLength < 8 || (protocol === TCP && headerLength < 20) || bytes.length < headerLength)
    return cutShort;
  const payload = bytes.subarray(headerLength);
  const payloadLength = Math.max(length - headerLength, payload.length);
  if (protocol === UDP) return { kind: 'udp', ...common, payload, payloadLength };
  const flags = bytes[13] ?? 0;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  return {
    kind: 'tcp',
    ...common,
    sequence: view.getUint32(4),
    acknowledged: (flags & 0x10) === 0 ? undefined : view.getUint32(8),
    syn: (flags & 0x02) !== 0,
    rst: (flags & 0x04) !== 0,
    payload,
    payloadLength,
  };
}

/** In brackets, the longest run of zero groups as `::` (RFC 5952). */
function ipv6Address(bytes: Uint8Array, at: number): string {
  const groups = Array.from({ length: 8 }, (_, index) => u16(bytes, at + index * 2).toString(16)).join(':');
  const zeros = groups.match(/(?<![0-9a-f])0(?::0)+(?![0-9a-f])/g) ?? [];
  const longest = zeros.toSorted((a, b) => b.length - a.length)[0];
  if (longest === undefined) return `[${groups}]`;
  const start = groups.search(new RegExp(`(?<![0-9a-f])${longest}(?![0-9a-f])`));
  const head = groups.slice(0, start).replace(/:$/, '');
  const tail = groups.slice(start + longest.length).replace(/^:/, '');
  return `[${head}::${tail}]`;
}

function u16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}

function other(reason: string): OtherPacket {
  return { kind: 'other', reason };
}

const cutShort = other('packets cut short or malformed below TCP and UDP');
const notIp = other('packets that are not IP');
const fragment = other('fragments of IP packets');
