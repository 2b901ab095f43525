import { hex } from '../base/bytes.ts';
import type { CaptureSummary } from './capture/capture-decoder.ts';
import type { DatagramHeader, Place } from './capture/captured-event.ts';
import type { Decoded } from './capture/decode-capture.ts';
import { timeText } from './capture/packet.ts';
import { describeBytes, describeFrame, frameToJson } from './describe-frame.ts';

/** Lines for people: when, who and what in the first one, the fields in the others. */
export function describeDecoded(decoded: Decoded): string[] {
  switch (decoded.kind) {
    case 'frame': {
      const [title = '', ...fields] = describeFrame(decoded.frame);
      return [`${describePlace(decoded.place)} ${title}`, ...fields];
    }
    case 'datagram': {
      const { payloadLength, ...header } = decoded.datagram;
      return [
        `${describePlace(decoded.place)} encrypted datagram (${payloadLength} bytes of payload)`,
        `  connectionId: ${describeBytes(header.connectionId)}`,
        `  packetNumber: ${header.packetNumber}`,
        `  tag: ${describeBytes(header.tag)}`,
      ];
    }
    case 'note':
      return [`${describePlace(decoded.place)} ${decoded.text}`];
    case 'end':
      return describeSummary(decoded.summary, decoded.wholeFile);
  }
}

/** The same as an object for one line of JSON. */
export function decodedToJson(decoded: Decoded): object {
  switch (decoded.kind) {
    case 'frame':
      return { ...placeToJson(decoded.place), ...frameToJson(decoded.frame) };
    case 'datagram':
      return { ...placeToJson(decoded.place), datagram: datagramToJson(decoded.datagram) };
    case 'note':
      return { ...placeToJson(decoded.place), note: decoded.text };
    case 'end': {
      const { ignored, ...counts } = decoded.summary;
      return {
        summary: { ...counts, wholeFile: decoded.wholeFile, ignored: Object.fromEntries(ignored) },
      };
    }
  }
}

/** `2026-01-02T03:04:05.123456789Z tcp 127.0.0.1:40000 > 127.0.0.1:7858 (client)` */
function describePlace({ time, transport, from, to, sender, offset }: Place): string {
  return [
    time === undefined ? '' : timeText(time),
    transport,
    offset === undefined ? '' : `byte ${offset}`,
    from === undefined || to === undefined ? '' : `${from} > ${to}`,
    sender === undefined ? '' : `(${sender})`,
  ]
    .filter((part) => part !== '')
    .join(' ')
    .concat(':');
}

function placeToJson({ time, ...place }: Place): object {
  return { time: time === undefined ? undefined : timeText(time), ...place };
}

function datagramToJson({ connectionId, tag, ...header }: DatagramHeader): object {
  return { ...header, connectionId: hex(connectionId), tag: hex(tag) };
}

function describeSummary(summary: CaptureSummary, wholeFile: boolean): string[] {
  const { packets, messages, connections, ignored } = summary;
  const among = packets > 0 ? ` in ${packets} packets, ${connections} TCP connections of ours` : '';
  return [
    `${messages} messages${among}`,
    ...[...ignored].map(([what, count]) => `  ignored: ${count} ${what}`),
    ...(wholeFile ? [] : ['  the file ends in the middle of a packet']),
  ];
}
