import { FrameKind, type Acknowledger, type Protocol } from './protocol.ts';

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const SPACE = 0x20;

/** The end of the line that begins at `at`, after its CR LF; 0 when it is not whole. */
function lineEnd(bytes: Buffer, at: number, end: number): number {
  for (let next = at; next < end; next += 1) if (bytes[next] === LINE_FEED) return next + 1;
  return 0;
}

const nothing: Acknowledger = { delivered: () => undefined, take: () => undefined };

/**
 * The NATS text protocol: `PUB topic length` and `MSG topic sid length`, each followed by the content and CR LF. Wildcards are `*` and `>`, levels are separated by points; topics and
 * filters are given with slashes and `+`.
 */
export const natsProtocol: Protocol = {
  hello: (name) =>
    Buffer.from(`CONNECT {"verbose":false,"pedantic":false,"protocol":1,"name":"${name}"}\r\nPING\r\n`),
  // The PONG says that the subscriptions are in force.
  subscribe: (filters, number) =>
    Buffer.from(
      `${filters.map((filter, index) => `SUB ${subject(filter)} ${number * 100_000 + index}\r\n`).join('')}PING\r\n`,
    ),
  publish({ topic, contentBytes }) {
    const head = `PUB ${subject(topic)} ${contentBytes}\r\n`;
    const frame = Buffer.alloc(head.length + contentBytes + 2, 0x78);
    frame.write(head, 0, 'latin1');
    frame.write('\r\n', head.length + contentBytes, 'latin1');
    return { frame, numberAt: undefined, contentAt: head.length };
  },
  writeNumber: () => undefined,
  lengthAt(bytes, at, end) {
    // M: a delivery; everything else is one line.
    const bodyAt = lineEnd(bytes, at, end);
    if (bodyAt === 0 || bytes[at] !== 0x4d) return bodyAt === 0 ? 0 : bodyAt - at;
    let length = 0;
    let scale = 1;
    for (let digitAt = bodyAt - 3; ; digitAt -= 1) {
      const digit = bytes[digitAt] ?? SPACE;
      if (digit === SPACE || digit === CARRIAGE_RETURN) break;
      length += (digit - 0x30) * scale;
      scale *= 10;
    }
    return bodyAt - at + length + 2;
  },
  kindAt(bytes, at) {
    const [first, second] = [bytes[at], bytes[at + 1]];
    if (first === 0x4d) return FrameKind.DELIVERY;
    if (first !== 0x50) return FrameKind.OTHER;
    return second === 0x49 ? FrameKind.PING : FrameKind.SUBSCRIBED;
  },
  trailerBytes: 2,
  pong: Buffer.from('PONG\r\n'),
  keepAlive: Buffer.from('PONG\r\n'),
  acknowledger: () => nothing,
};

function subject(topic: string): string {
  return topic.replaceAll('/', '.').replaceAll('+', '*').replaceAll('#', '>');
}
