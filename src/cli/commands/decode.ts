import { buildCommand } from '@stricli/core';
import { defaultPorts, wholeNumber } from '../flags.ts';

export const decodeCommand = buildCommand({
  docs: {
    brief: 'Print the fields of frames given in hex, or of every message in a capture',
    fullDescription: [
      'Takes the hex of one frame, in the long or the short form, or with --serial the bytes of a serial line (COBS, CRC), of which it prints every frame and whatever is wrong with it. Without arguments it reads standard input.',
      'With --capture it reads a pcap or pcapng file: TCP, WebSocket and UDP at the ports of the gateway, sessions that begin at any other TCP port, and serial frames (link type USER0). With --serial too, the file is the log of a serial line, in hex or in binary.',
    ].join('\n'),
  },
  parameters: {
    flags: {
      serial: {
        kind: 'boolean',
        brief: 'the bytes come from a serial line, stuffed and with checksums',
        default: false,
      },
      capture: {
        kind: 'parsed',
        parse: String,
        brief: 'decode this pcap or pcapng file, with --serial this log of a serial line',
        placeholder: 'FILE',
        optional: true,
      },
      port: {
        kind: 'parsed',
        parse: wholeNumber,
        brief: `a port of the gateway in the capture, may be repeated; by default ${defaultPorts.join(' and ')}`,
        placeholder: 'N',
        optional: true,
        variadic: true,
      },
      json: { kind: 'boolean', brief: 'print one JSON object a line', default: false },
    },
    positional: {
      kind: 'array',
      parameter: { brief: 'hex digits; white space does not matter', parse: String, placeholder: 'hex' },
    },
  },
  loader: async () => (await import('../decode.ts')).decode,
});
