import { utf8 } from '../base/bytes.ts';
import {
  codeByte,
  type CoapDatagram,
  CoapOption,
  type CoapOptionValue,
  CoapType,
  uintOf,
  uintOption,
} from './coap-datagram.ts';

/** Value of Observe that asks for an observation (RFC 7641, section 2). */
export const OBSERVE_REGISTER = 0;
/** Payload that fits one datagram on every network (RFC 7252, section 4.6). */
export const MAX_PAYLOAD_BYTES = 1024;
/** What a device shall wait for when the gateway has no room, in seconds. */
export const RETRY_SECONDS = 5;

/** A request that is well-formed and not a repetition. */
export interface CoapRequest {
  /** Address and port of the sender. */
  readonly peer: string;
  /** GET, POST or PUT. */
  readonly method: string;
  readonly confirmable: boolean;
  readonly token: Uint8Array;
  readonly observe: number | undefined;
  readonly payload: Uint8Array;
  /** Values of an option, in order. */
  options(number: number): readonly Uint8Array[];
}

export interface CoapAnswer {
  /** Such as `2.05`. */
  readonly code: string;
  readonly contentFormat?: number | undefined;
  /** Seconds. */
  readonly maxAge?: number | undefined;
  /** The largest payload that is taken. */
  readonly size1?: number | undefined;
  readonly payload?: Uint8Array | undefined;
}

/** Sends the notifications of one observation. */
export interface Notifier {
  /** Sends `answer` as notification `number` and returns its Message ID; undefined when it could not be sent. */
  notify(answer: CoapAnswer, number: number, confirmable: boolean): number | undefined;
  /** Sends an answer that ends the observation: confirmable and without a number (RFC 7641, section 4.2). */
  refuse(answer: CoapAnswer): void;
  end(): void;
}

/** Where answers go. Each request gets one, by `send` or `observe`. */
export interface Responder {
  send(answer: CoapAnswer): void;
  /** Answers a GET with Observe 0, as notification `number`, and keeps the observation. `onGone` is called when a notification stays unacknowledged. */
  observe(answer: CoapAnswer, number: number, onGone: () => void): Notifier;
}

const methods: ReadonlyMap<number, string> = new Map([
  [1, 'GET'],
  [2, 'POST'],
  [3, 'PUT'],
]);
const { URI_HOST, URI_PORT, URI_PATH, URI_QUERY, ACCEPT, BLOCK2 } = CoapOption;
/** Options with an odd number must be understood (RFC 7252, section 5.4.1); these are. */
const understood: ReadonlySet<number> = new Set([URI_HOST, URI_PORT, URI_PATH, URI_QUERY, ACCEPT, BLOCK2]);

export function requestOf(peer: string, { code, type, token, options, payload }: CoapDatagram): CoapRequest {
  const values = (wanted: number): readonly Uint8Array[] =>
    options.filter(({ number }) => number === wanted).map(({ value }) => value);
  const [observe] = values(CoapOption.OBSERVE);
  return {
    peer,
    method: methods.get(code) ?? '',
    confirmable: type === CoapType.CON,
    token,
    observe: observe && uintOf(observe),
    payload,
    options: values,
  };
}

/** The answer to a request that is not offered at all, or undefined. */
export function refusalOf({ code, options, payload }: CoapDatagram): CoapAnswer | undefined {
  const find = (wanted: number): CoapOptionValue | undefined =>
    options.find(({ number }) => number === wanted);
  if (!methods.has(code)) return { code: '4.05', payload: utf8('GET, POST and PUT are offered') };
  if (find(CoapOption.PROXY_URI) ?? find(CoapOption.PROXY_SCHEME)) return { code: '5.05' };
  if (find(CoapOption.BLOCK1) !== undefined || payload.length > MAX_PAYLOAD_BYTES) {
    const text = `at most ${MAX_PAYLOAD_BYTES} bytes, in one datagram`;
    return { code: '4.13', payload: utf8(text), size1: MAX_PAYLOAD_BYTES };
  }
  const strange = options.find(({ number }) => number % 2 === 1 && !understood.has(number));
  if (strange) return { code: '4.02', payload: utf8(`option ${strange.number} is not understood`) };
  const observe = find(CoapOption.OBSERVE);
  if (observe && uintOf(observe.value) === OBSERVE_REGISTER && methods.get(code) !== 'GET') {
    return { code: '4.02', payload: utf8('Observe goes with GET') };
  }
  return undefined;
}

/** The options of an answer, in order. */
export function optionsOf({ contentFormat, maxAge, size1 }: CoapAnswer): readonly CoapOptionValue[] {
  const options: CoapOptionValue[] = [];
  if (contentFormat !== undefined) options.push(uintOption(CoapOption.CONTENT_FORMAT, contentFormat));
  if (maxAge !== undefined) options.push(uintOption(CoapOption.MAX_AGE, maxAge));
  if (size1 !== undefined) options.push(uintOption(CoapOption.SIZE1, size1));
  return options;
}

/** An answer that needs no memory of its request: in the acknowledgement, or not confirmable as the request. */
export function directAnswer({ type, messageId, token }: CoapDatagram, answer: CoapAnswer): CoapDatagram {
  return {
    type: type === CoapType.CON ? CoapType.ACK : CoapType.NON,
    code: codeByte(answer.code),
    messageId,
    token,
    options: optionsOf(answer),
    payload: answer.payload ?? new Uint8Array(0),
  };
}
