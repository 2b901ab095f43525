import { describe, expect, test } from 'vitest';
import { hex } from '../../../src/base/bytes.ts';
import { DatagramChannel } from '../../../src/wire/datagram-channel.ts';
import {
  MAX_DATAGRAM_BYTES,
  messagesIn,
  readDatagram,
  widenPacketNumber,
} from '../../../src/wire/datagram.ts';
import { ccm, datagramByHand } from '../../support/ccm.ts';
import { bytesOf, codeThrownBy, plainHex, readVectors, type Vector } from '../../support/wire-vectors.ts';

interface DatagramVector extends Vector {
  readonly key: string;
  readonly from: 'client' | 'server';
  readonly received?: readonly number[];
  readonly datagram: string;
  readonly connectionId?: string;
  readonly packetNumber?: number;
  readonly messages?: readonly string[];
  readonly then?: { readonly byte: string; readonly count: number };
  readonly error?: string;
}

const vectors = readVectors('datagram.json') as readonly DatagramVector[];
const id = bytesOf('c0de');
const key = bytesOf('000102030405060708090a0b0c0d0e0fa0a1a2a3a4a5a6a7');

/** The side that hears the datagrams of `from`, after it has heard those numbered `received`. */
function receiver({
  key: digits,
  from,
  received = [],
  connectionId = 'c0de',
}: DatagramVector): DatagramChannel {
  const options = { connectionId: bytesOf(connectionId), key: bytesOf(digits) };
  const channel = new DatagramChannel({ side: from === 'client' ? 'server' : 'client', ...options });
  for (const packetNumber of received) {
    // In steps that can be widened.
    for (let number = packetNumber % 30_000; number < packetNumber; number += 30_000)
      hear(channel, number || 1);
    hear(channel, packetNumber);
  }
  function hear(by: DatagramChannel, packetNumber: number): void {
    const direction = from === 'client' ? 0 : 1;
    const payload = new Uint8Array(0);
    by.open(readDatagram(datagramByHand({ ...options, direction, packetNumber, payload })));
  }
  return channel;
}

function open(vector: DatagramVector): readonly string[] {
  const tail = vector.then ? vector.then.byte.repeat(vector.then.count) : '';
  const datagram = readDatagram(bytesOf(vector.datagram + tail));
  return messagesIn(receiver(vector).open(datagram).payload).map(hex);
}

describe('datagrams', () => {
  const valid = vectors.filter(({ error }) => error === undefined);

  test.each(valid)('$name: opened', (vector) => {
    expect(open(vector)).toEqual(vector.messages?.map(plainHex));
    expect(hex(readDatagram(bytesOf(vector.datagram)).connectionId)).toBe(vector.connectionId);
  });

  test.each(valid.filter(({ packetNumber = 0 }) => packetNumber < 100))('$name: sealed', (vector) => {
    const { from, connectionId = '', packetNumber = 0, messages = [] } = vector;
    const channel = new DatagramChannel({
      side: from,
      connectionId: bytesOf(connectionId),
      key: bytesOf(vector.key),
    });
    for (let number = 1; number < packetNumber; number += 1) channel.seal(new Uint8Array(0));
    expect(hex(channel.seal(bytesOf(messages.join(''))))).toBe(vector.datagram);
  });

  test.each(vectors.filter(({ error }) => error !== undefined))('$name: refused', (vector) => {
    expect(codeThrownBy(() => open(vector))).toBe(vector.error);
  });

  test('8.2.6: what is refused leaves the channel as it was', () => {
    for (const vector of vectors.filter(({ error }) => error === 'HSK-1106')) {
      const channel = receiver(vector);
      expect(codeThrownBy(() => channel.open(readDatagram(bytesOf(vector.datagram))))).toBe('HSK-1106');
      const direction = vector.from === 'client' ? 0 : 1;
      const first = datagramByHand({ key, connectionId: id, direction, packetNumber: 1, payload: key });
      expect(channel.open(readDatagram(first))).toMatchObject({ newest: true });
    }
  });

  test('8.2.3: an older packet within the window opens, and is not the newest', () => {
    const client = new DatagramChannel({ side: 'client', connectionId: id, key });
    const server = new DatagramChannel({ side: 'server', connectionId: id, key });
    const [first, second] = [client.seal(key), client.seal(key)];
    expect(server.open(readDatagram(second)).newest).toBe(true);
    expect(server.open(readDatagram(first)).newest).toBe(false);
  });

  test('8.1.2, 8.1.4, 9.7: a full payload makes a datagram of the largest size, 13 bytes of it for header and tag', () => {
    const channel = new DatagramChannel({ side: 'client', connectionId: id, key });
    expect(channel.seal(new Uint8Array(channel.capacity))).toHaveLength(MAX_DATAGRAM_BYTES);
    expect(MAX_DATAGRAM_BYTES - channel.capacity).toBe(13);
  });

  test.each(readVectors('packet-number.json') as readonly (Vector & Record<string, number>)[])(
    'packet number: $name',
    ({ low16 = 0, expected = 0, packetNumber }) => {
      expect(widenPacketNumber(low16, expected)).toBe(packetNumber);
    },
  );
});

describe('the bounds of a key (8.2.4)', () => {
  const options = { connectionId: id, key, packetsPerKey: 8, forgeriesPerKey: 3 };

  test('8.2.4: half of the packets sent: a new ticket is due; all of them: nothing is sent any more', () => {
    const channel = new DatagramChannel({ side: 'client', ...options });
    for (let sent = 0; sent < 3; sent += 1) channel.seal(key);
    expect(channel.worn).toBe(false);
    channel.seal(key);
    expect(channel.worn).toBe(true);
    for (let sent = 4; sent < 8; sent += 1) channel.seal(key);
    expect(channel.spent).toBe(true);
    expect(codeThrownBy(() => channel.seal(key))).toBe('HSK-1108');
  });

  test('8.2.4: half of the packets received: a new ticket is due', () => {
    const client = new DatagramChannel({ side: 'client', ...options });
    const server = new DatagramChannel({ side: 'server', ...options });
    for (let sent = 0; sent < 4; sent += 1) client.open(readDatagram(server.seal(key)));
    expect(client.worn).toBe(true);
  });

  test('8.2.4: too many forgeries: nothing opens any more, not even what is authentic', () => {
    const client = new DatagramChannel({ side: 'client', ...options });
    const server = new DatagramChannel({ side: 'server', ...options });
    const authentic = readDatagram(client.seal(key));
    const sealed = authentic.sealed.map((byte) => byte ^ 1);
    for (let forged = 0; forged < 3; forged += 1) {
      expect(codeThrownBy(() => server.open({ ...authentic, sealed }))).toBe('HSK-1106');
    }
    expect(codeThrownBy(() => server.open(authentic))).toBe('HSK-1108');
    expect(server.worn && server.spent).toBe(true);
  });
});

/** SP 800-38C, appendix C.3: what the vectors were computed with agrees with it. */
test('CCM by the book gives the published example', () => {
  const sealed = ccm({
    key: bytesOf('404142434445464748494a4b4c4d4e4f'),
    nonce: bytesOf('101112131415161718191a1b'),
    associated: bytesOf('000102030405060708090a0b0c0d0e0f10111213'),
    payload: bytesOf('202122232425262728292a2b2c2d2e2f3031323334353637'),
    tagBytes: 8,
  });
  expect(hex(sealed)).toBe('e3b201a9f5b71a7a9b1ceaeccd97e70b6176aad9a4428aa5484392fbc1b09951');
});
