import type { Message, NumberedMessage, Publish } from '../wire/message.ts';
import { MessageType } from '../wire/numbers.ts';

const both: readonly MessageType[] = [
  MessageType.PUBLISH,
  MessageType.ACK,
  MessageType.PING,
  MessageType.PONG,
  MessageType.ALIAS,
  MessageType.DISCONNECT,
];

/** What each side receives within a session (clause 3.3). The handshake and what goes over UDP have no place here. */
export const receivable: Readonly<Record<'server' | 'client', ReadonlySet<MessageType>>> = {
  server: new Set([
    ...both,
    MessageType.SUBSCRIBE,
    MessageType.UNSUBSCRIBE,
    MessageType.WATCH,
    MessageType.UNWATCH,
    MessageType.LIST_SUBSCRIBERS,
    MessageType.TIME_REQUEST,
    MessageType.UDP_OPEN,
  ]),
  client: new Set([
    ...both,
    MessageType.REJECTED,
    MessageType.CONFIRMED,
    MessageType.PRESENCE_JOINED,
    MessageType.PRESENCE_LEFT,
    MessageType.SUBSCRIBERS,
    MessageType.TIME,
    MessageType.UDP_TICKET,
  ]),
};

const numbered: ReadonlySet<MessageType> = new Set([
  MessageType.SUBSCRIBE,
  MessageType.UNSUBSCRIBE,
  MessageType.WATCH,
  MessageType.UNWATCH,
  MessageType.PRESENCE_JOINED,
  MessageType.PRESENCE_LEFT,
  MessageType.ALIAS,
]);

/** Whether a message other than PUBLISH, which tells by its MESSAGE_ID, is numbered (clause 5.1.1). */
export function isNumbered(message: Exclude<Message, Publish>): message is Exclude<NumberedMessage, Publish> {
  return numbered.has(message.type);
}
