import { describe, expect, test } from 'vitest';
import { serialSchema, tcpSchema, tlsListenerSchema, udpSchema } from '../../../src/config/schema.ts';
import { DEFAULT_TCP_PORT, DEFAULT_TLS_PORT } from '../../../src/wire/numbers.ts';

describe('what holds unless it is configured', () => {
  test('1.4: ports', () => {
    expect(tcpSchema.parse({}).port).toBe(7858);
    expect(udpSchema.parse({}).port).toBe(7858);
    expect(tlsListenerSchema.parse({ certFile: '/c.pem', keyFile: '/k.pem' }).port).toBe(8858);
    expect([DEFAULT_TCP_PORT, DEFAULT_TLS_PORT]).toEqual([7858, 8858]);
  });

  test('9.6: a serial line takes frames of 1024 bytes', () => {
    expect(serialSchema.parse({ path: '/dev/ttyUSB0' }).maxFrameBytes).toBe(1024);
  });
});
