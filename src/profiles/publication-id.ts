import type { Publication } from '../wire/publication.ts';

/**
 * The identifier by which a consumer tells a duplicate: `gateway/session/messageId`, with `/part` for a reading of a batch. A client
 * without a session that numbers its messages (clause 10.5) has its CLIENT_ID in the session's place. What has no number is told
 * by its place in the spool: `gateway/spoolId/seq`.
 */
export function publicationId(
  gateway: string,
  { origin }: Publication,
  spoolId: string,
  seq: number,
): string {
  if (origin.messageId === undefined) return `${gateway}/${spoolId}/${seq}`;
  const id = `${gateway}/${origin.sessionId ?? origin.clientId}/${origin.messageId}`;
  return origin.part === undefined ? id : `${id}/${origin.part}`;
}
