import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { createSecureContext } from 'node:tls';
import { describeError } from '../base/errors.ts';
import { checkFile, type Findings, isLoopback, type Item, itemOf, itemsOf } from './findings.ts';
import {
  coapSchema,
  serialSchema,
  type ServerTlsConfig,
  serverTlsSchema,
  tcpSchema,
  tlsListenerSchema,
  udpSchema,
  webSocketSchema,
} from './schema.ts';

/** Looks at everything that nodes and clients connect to. Relative paths start in `folder`. */
export function checkListeners(raw: unknown, folder: string, findings: Findings): void {
  for (const tls of listenersWithTls(raw)) checkServerTls(tls, folder, findings);
  checkAddresses(raw, findings);
}

/** What each listener with TLS has of it, at its place. */
export function listenersWithTls(raw: unknown): readonly Item<ServerTlsConfig>[] {
  return [
    ...itemOf(tlsListenerSchema, raw, 'listen', 'tls'),
    ...itemOf(serverTlsSchema, raw, 'listen', 'websocket', 'tls'),
  ];
}

function checkServerTls({ path, value }: Item<ServerTlsConfig>, folder: string, findings: Findings): void {
  for (const key of ['certFile', 'keyFile', 'clientCa'] as const) {
    const file = value[key];
    if (file !== undefined) checkFile([...path, key], resolve(folder, file), key === 'keyFile', findings);
  }
  if (value.requireClientCert && value.clientCa === undefined) {
    const right = 'set clientCa to the authority that has signed them';
    findings.error([...path, 'requireClientCert'], 'can accept no certificate', right);
  }
  checkKeyPair({ path, value }, folder, findings);
}

function checkKeyPair({ path, value }: Item<ServerTlsConfig>, folder: string, { error }: Findings): void {
  let cert: Buffer;
  let key: Buffer;
  try {
    cert = readFileSync(resolve(folder, value.certFile));
    key = readFileSync(resolve(folder, value.keyFile));
  } catch {
    // `checkFile` has told of it.
    return;
  }
  try {
    createSecureContext({ cert, key });
  } catch (thrown) {
    error([...path, 'certFile'], 'does not go with keyFile', describeError(thrown));
  }
}

function checkAddresses(raw: unknown, { warning }: Findings): void {
  const tcp = itemOf(tcpSchema, raw, 'listen', 'tcp');
  const tls = itemOf(tlsListenerSchema, raw, 'listen', 'tls');
  const webSocket = itemOf(webSocketSchema, raw, 'listen', 'websocket');
  const coap = itemOf(coapSchema, raw, 'coap');
  for (const { path, value } of [...tcp, ...webSocket.filter(({ value: { tls: secured } }) => !secured)]) {
    if (isLoopback(value.host)) continue;
    const wrong = 'opens the gateway to the network: tokens, readings and commands travel in clear text';
    const right = 'use TLS, or keep it to 127.0.0.1 unless that network is trusted';
    warning([...path, 'host'], wrong, right);
  }
  for (const { path, value } of coap) {
    if (isLoopback(value.host)) continue;
    const wrong =
      'opens CoAP to the network: there is no transport security, and tokens travel in clear text';
    warning([...path, 'host'], wrong, 'bind it to a network that is secured by itself, such as Thread');
  }
  const [udp] = itemOf(udpSchema, raw, 'listen', 'udp');
  if (udp && tcp.length + tls.length === 0) {
    warning(udp.path, 'is of no use', 'a client asks for it over listen.tcp or listen.tls: configure one');
  }
  const serial = itemsOf(serialSchema, raw, 'serial');
  if (tcp.length + tls.length + webSocket.length + coap.length + serial.length === 0) {
    warning(
      [],
      'nothing can connect',
      'configure one of listen.tcp, listen.tls, listen.websocket, serial and coap',
    );
  }
}
