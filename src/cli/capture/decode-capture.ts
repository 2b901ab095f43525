import { HashikeError } from '../../base/errors.ts';
import { CaptureDecoder, type CaptureSummary } from './capture-decoder.ts';
import type { CapturedEvent, Place } from './captured-event.ts';
import { LineReader } from './line-reader.ts';
import { readPackets } from './read-packets.ts';

/** Everything that a capture told, and at last what it came to. */
export type Decoded =
  | CapturedEvent
  | { readonly kind: 'end'; readonly summary: CaptureSummary; readonly wholeFile: boolean };

/**
 * Decodes a pcap or pcapng file. When the file turns out to be damaged, what was found before comes first, the end too, and then
 * HSK-6002 is thrown.
 */
export async function* decodeCapture(
  file: AsyncIterable<Uint8Array>,
  ports: readonly number[],
): AsyncGenerator<Decoded> {
  let found: CapturedEvent[] = [];
  const decoder = new CaptureDecoder({ ports, emit: (event) => void found.push(event) });
  const packets = readPackets(file);
  let wholeFile = false;
  let damage: HashikeError | undefined;
  try {
    for (;;) {
      const { done, value } = await packets.next();
      if (done) {
        wholeFile = value;
        break;
      }
      decoder.take(value);
      yield* found;
      found = [];
    }
  } catch (error) {
    if (!(error instanceof HashikeError)) throw error;
    damage = error;
  }
  const summary = decoder.end();
  if (damage && summary.packets === 0) throw damage;
  yield* found;
  yield { kind: 'end', summary, wholeFile };
  if (damage) throw damage;
}

/** Decodes the bytes of a serial line. They tell no time and no direction, so each frame has its offset. */
export async function* decodeLine(
  bytes: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): AsyncGenerator<Decoded> {
  let found: CapturedEvent[] = [];
  let messages = 0;
  const ignored = new Map<string, number>();
  const line = new LineReader({
    frame: (frame, offset) => {
      messages += 1;
      found.push({ kind: 'frame', place: placeOf(offset), frame });
    },
    skipped: (reason, bytes, offset) => {
      const what = `bytes of the line that are no frame (${reason})`;
      ignored.set(what, (ignored.get(what) ?? 0) + bytes);
      found.push({
        kind: 'note',
        place: placeOf(offset),
        text: `${bytes} bytes were passed over: ${reason}`,
      });
    },
  });
  for await (const chunk of bytes) {
    line.feed(chunk);
    yield* found;
    found = [];
  }
  line.end();
  yield* found;
  yield { kind: 'end', summary: { packets: 0, messages, connections: 0, ignored }, wholeFile: true };
}

function placeOf(offset: number): Place {
  return { transport: 'serial', offset };
}
