import type { Age, Batch, Outgoing } from '../session/ports.ts';
import type { Publish, PublishBody } from '../wire/message.ts';
import { MessageType } from '../wire/numbers.ts';
import type { Origin, Publication, TakenAt } from '../wire/publication.ts';

export type OutgoingPublish = Extract<Outgoing, { readonly type: typeof MessageType.PUBLISH }>;

/** Who published in which session, and the wall clock at that moment. */
export interface Publisher {
  readonly clientId: string;
  /** Hex of the SESSION_ID. */
  readonly sessionId: string;
  readonly wall: number;
}

/** What a PUBLISH says; its alias is resolved. */
export function fromPublish(message: Publish, age: Age, by: Publisher): Publication {
  return make(message, message.topic ?? '', taken(age.ms, age.uncertainty, by), by, message.messageId);
}

/** What a batch says, oldest first. */
export function fromBatch(batch: Batch, age: Age, by: Publisher): readonly Publication[] {
  return batch.readings.map(({ ageMs, content }, part) => ({
    topic: batch.topic,
    content,
    reliable: true,
    retain: false,
    origin: { clientId: by.clientId, sessionId: by.sessionId, messageId: batch.messageId, part },
    taken: taken(age.ms + ageMs, age.uncertainty, by),
  }));
}

/** What a will says: it has no number, and counts as reliable. */
export function fromWill(will: PublishBody, by: Publisher): Publication {
  return { ...make(will, will.topic, taken(0, 0, by), by, undefined), reliable: true };
}

/** The PUBLISH that delivers `publication`, with what is left of its EXPIRY (clause 5.5.6). */
export function toPublish(publication: Publication, wall: number): OutgoingPublish {
  const { topic, content, expiresAt, responseTopic, correlation, origin } = publication;
  return {
    type: MessageType.PUBLISH,
    topic,
    retain: publication.retain,
    expiry: expiresAt === undefined ? undefined : Math.max(0, Math.round(expiresAt - wall)),
    responseTopic,
    correlation,
    clientId: origin.clientId,
    content,
  };
}

function make(
  body: Omit<PublishBody, 'topic'>,
  topic: string,
  takenAt: TakenAt,
  by: Publisher,
  messageId: number | undefined,
): Publication {
  const { retain, expiry, responseTopic, correlation, content } = body;
  const origin: Origin = { clientId: by.clientId, sessionId: by.sessionId, messageId };
  return {
    topic,
    content,
    reliable: messageId !== undefined,
    retain,
    // EXPIRY counts from the moment of receipt (clause 5.5.6).
    expiresAt: expiry === undefined ? undefined : by.wall + expiry,
    responseTopic,
    correlation,
    origin,
    taken: takenAt,
  };
}

function taken(ageMs: number, uncertainty: number | undefined, by: Publisher): TakenAt {
  return { at: by.wall - ageMs, uncertainty };
}
