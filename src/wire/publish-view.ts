import { padded } from '../base/bytes.ts';
import {
  FIRST_CONTENT_TYPE,
  MESSAGE_HEADER_BYTES,
  MessageType,
  SECTION_HEADER_BYTES,
  SectionType,
} from './numbers.ts';

const MESSAGE_ID_SECTION_BYTES = 8;
/** A longer delivery is copied by the runtime, a shorter one word by word: that is where the two cost the same. */
const MAX_IMAGE_BYTES = 512;
/** MESSAGE_ID of a PUBLISH that has none. */
const BEST_EFFORT = -1;

/**
 * The raw step of PUBLISH (clause 3.3): verifies a plain one in place, and writes what is delivered of it without making an object of it.
 *
 *     received    header | [MESSAGE_ID] | TOPIC | content ...
 *     delivered   header | [MESSAGE_ID] | CLIENT_ID | TOPIC | content ...
 *
 * Whatever has more sections than these, or is malformed, is no plain one: it is for `decodeMessage`, which knows the rest. One view serves for many messages, one after the other.
 */
export class PublishView {
  #bytes: Uint8Array = new Uint8Array(0);
  #messageId = BEST_EFFORT;
  #start = 0;
  /** TOPIC and content stand from here to `end`. */
  #bodyAt = 0;
  #topicLength = 0;
  #end = 0;
  #clientId: Uint8Array = new Uint8Array(0);
  /** A delivery without MESSAGE_ID and time, made when it is wanted first. */
  readonly #image = new Uint8Array(MAX_IMAGE_BYTES);
  readonly #imageWords = new Uint32Array(this.#image.buffer);
  #imageLength = 0;

  /** Says who published what is read from now on. @param clientId CLIENT_ID as a section */
  publishedBy(clientId: Uint8Array): void {
    this.#clientId = clientId;
  }

  /**
   * Looks at the message that begins at `at`. Its header must have been verified, and the whole of it be there.
   * False when it is no plain PUBLISH; nothing else may be asked then.
   */
  read(bytes: Uint8Array, at: number): boolean {
    if (u16At(bytes, at) !== MessageType.PUBLISH) return false;
    const end = at + MESSAGE_HEADER_BYTES + u16At(bytes, at + 2);
    let next = at + MESSAGE_HEADER_BYTES;
    this.#messageId = BEST_EFFORT;
    if (end - next < SECTION_HEADER_BYTES) return false;
    if (u16At(bytes, next) === SectionType.MESSAGE_ID) {
      if (u16At(bytes, next + 2) !== 4 || end - next < MESSAGE_ID_SECTION_BYTES + SECTION_HEADER_BYTES) {
        return false;
      }
      this.#messageId = u32At(bytes, next + SECTION_HEADER_BYTES);
      next += MESSAGE_ID_SECTION_BYTES;
    }
    if (u16At(bytes, next) !== SectionType.TOPIC) return false;
    this.#bodyAt = next;
    this.#topicLength = u16At(bytes, next + 2);
    next = sectionEnd(bytes, next, end);
    while (next < end) {
      if (end - next < SECTION_HEADER_BYTES || u16At(bytes, next) < FIRST_CONTENT_TYPE) return false;
      next = sectionEnd(bytes, next, end);
    }
    if (next > end) return false;
    this.#bytes = bytes;
    this.#start = at;
    this.#end = end;
    this.#imageLength = 0;
    return true;
  }

  /** Where the next message begins. */
  get end(): number {
    return this.#end;
  }

  /** Undefined for best effort. */
  get messageId(): number | undefined {
    return this.#messageId === BEST_EFFORT ? undefined : this.#messageId;
  }

  get timestamp(): number {
    return u32At(this.#bytes, this.#start + 4);
  }

  /** The whole message, as a view on what was received. */
  get frame(): Uint8Array {
    return this.#bytes.subarray(this.#start, this.#end);
  }

  get topic(): Uint8Array {
    const at = this.#bodyAt + SECTION_HEADER_BYTES;
    return this.#bytes.subarray(at, at + this.#topicLength);
  }

  /** A number by which topics differ, most of the time. */
  get topicHash(): number {
    const bytes = this.#bytes;
    const from = this.#bodyAt + SECTION_HEADER_BYTES;
    const to = from + this.#topicLength;
    let hash = this.#topicLength;
    for (let at = from; at < to; at += 1) hash = Math.imul(hash ^ (bytes[at] ?? 0), 0x01000193);
    // What differs in the last bytes alone must differ in the low bits too.
    return (hash ^ (hash >>> 15)) & 0x3fff_ffff;
  }

  /** Whether its topic is the `length` bytes of `topics` from `from` on. */
  hasTopic(topics: Uint8Array, from: number, length: number): boolean {
    if (this.#topicLength !== length) return false;
    const bytes = this.#bytes;
    const at = this.#bodyAt + SECTION_HEADER_BYTES;
    // From the end: topics of one family begin alike.
    for (let index = length - 1; index >= 0; index -= 1) {
      if (bytes[at + index] !== topics[from + index]) return false;
    }
    return true;
  }

  /** Bytes of the frame that `writeDelivery` writes. */
  deliveryLength(messageId: number | undefined): number {
    const number = messageId === undefined ? 0 : MESSAGE_ID_SECTION_BYTES;
    return MESSAGE_HEADER_BYTES + number + this.#clientId.length + this.#end - this.#bodyAt;
  }

  /**
   * Writes the best-effort delivery to one receiver.
   * @param words the same memory as `target`
   * @param at a multiple of 4
   */
  writeDelivery(target: Uint8Array, words: Uint32Array, at: number, timestamp: number): void {
    const length = this.deliveryLength(undefined);
    if (length > MAX_IMAGE_BYTES) {
      this.#write(target, at, length, undefined);
    } else {
      if (this.#imageLength === 0) {
        this.#write(this.#image, 0, length, undefined);
        this.#imageLength = length;
      }
      const image = this.#imageWords;
      const first = at >> 2;
      const count = length >> 2;
      for (let word = 0; word < count; word += 1) words[first + word] = image[word] ?? 0;
    }
    putU32(target, at + 4, timestamp);
  }

  /** The delivery to one receiver as an array of its own. */
  delivery(timestamp: number, messageId: number | undefined): Uint8Array {
    const length = this.deliveryLength(messageId);
    const frame = new Uint8Array(length);
    this.#write(frame, 0, length, messageId);
    putU32(frame, 4, timestamp);
    return frame;
  }

  /** Everything but the time. */
  #write(target: Uint8Array, at: number, length: number, messageId: number | undefined): void {
    let next = putU32(target, at, (MessageType.PUBLISH << 16) | (length - MESSAGE_HEADER_BYTES)) + 4;
    if (messageId !== undefined) {
      next = putU32(target, next, (SectionType.MESSAGE_ID << 16) | 4);
      next = putU32(target, next, messageId);
    }
    next = copy(this.#clientId, 0, this.#clientId.length, target, next);
    copy(this.#bytes, this.#bodyAt, this.#end, target, next);
  }
}

/** Offset after the section at `at`, which has its header; beyond `end` when it is cut short or its padding is not zero. */
function sectionEnd(bytes: Uint8Array, at: number, end: number): number {
  const valueEnd = at + SECTION_HEADER_BYTES + u16At(bytes, at + 2);
  const next = padded(valueEnd - at) + at;
  if (next > end) return next;
  for (let pad = valueEnd; pad < next; pad += 1) if (bytes[pad] !== 0) return end + 1;
  return next;
}

/** Copies `from` to `to` of `source`; returns the offset after it in `target`. */
function copy(source: Uint8Array, from: number, to: number, target: Uint8Array, at: number): number {
  const length = to - from;
  if (length > MAX_IMAGE_BYTES) target.set(source.subarray(from, to), at);
  else for (let index = 0; index < length; index += 1) target[at + index] = source[from + index] ?? 0;
  return at + length;
}

function u16At(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}

function u32At(bytes: Uint8Array, at: number): number {
  return ((u16At(bytes, at) << 16) | u16At(bytes, at + 2)) >>> 0;
}

function putU32(target: Uint8Array, at: number, value: number): number {
  target[at] = value >>> 24;
  target[at + 1] = value >>> 16;
  target[at + 2] = value >>> 8;
  target[at + 3] = value;
  return at + 4;
}
