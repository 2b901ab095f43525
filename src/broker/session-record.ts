import { sameBytes } from '../base/bytes.ts';
import type { StoredSession } from '../spool/ports.ts';
import { peekType } from '../wire/long-form.ts';
import type { AliasEntry } from '../wire/message.ts';
import { MessageType, ShortKind } from '../wire/numbers.ts';
import { isShortForm } from '../wire/short-form.ts';
import { encodeContext, type SessionContext } from './session-context.ts';
import { bytesOf, type SessionIdentity } from './session-surroundings.ts';

const NO_CONTEXT = new Uint8Array(0);

/** What of a session is written to disk. */
export interface RecordedSession {
  readonly identity: SessionIdentity;
  readonly sessionId: Uint8Array;
  /** Whether it comes back from disk: if not, only its numbers count. */
  readonly comesBack: boolean;
  readonly over: boolean;
  /** Last MESSAGE_ID of the client of which custody has passed. */
  readonly settled: number;
  /** Last MESSAGE_ID from its queue that the client acknowledged. */
  readonly fed: number;
  readonly pipe: { readonly session: { readonly aliases: readonly AliasEntry[] } };
  readonly subscriptions: { readonly list: SessionContext['subscriptions'] };
}

/** The record of a session on disk: what it says now, and whether that is more than what was written. */
export class SessionRecord {
  readonly #session: RecordedSession;
  /** The context as it was last written. */
  #written: Uint8Array = NO_CONTEXT;

  constructor(session: RecordedSession) {
    this.#session = session;
  }

  /** The record as it is to be written. @param updatedAt epoch ms. */
  write(updatedAt: number): StoredSession {
    const { identity, sessionId, over, settled, fed } = this.#session;
    this.#written = this.#context();
    return {
      sessionId,
      clientId: identity.principal.clientId,
      keyHash: bytesOf(identity.keyHash),
      place: over ? undefined : identity.place,
      received: settled,
      sent: fed,
      context: this.#written,
      updatedAt,
    };
  }

  /** Whether `frame` changed the context of a session that comes back on its own: an ALIAS does, while a SUBSCRIBE is written before its ACK. */
  isChangedBy(frame: Uint8Array): boolean {
    return mayDeclareAliases(frame) && !sameBytes(this.#context(), this.#written);
  }

  #context(): Uint8Array {
    const { comesBack, identity, pipe, subscriptions } = this.#session;
    if (!comesBack) return NO_CONTEXT;
    const { aliases } = pipe.session;
    return encodeContext({ ...identity.context, aliases, subscriptions: subscriptions.list });
  }
}

/** Whether a frame holds ALIAS, or may be the last piece of one. */
function mayDeclareAliases(frame: Uint8Array): boolean {
  if (peekType(frame) === MessageType.ALIAS) return true;
  const [first = 0] = frame;
  return isShortForm(first) && ((first >> 4) & 7) === ShortKind.FRAGMENT;
}
