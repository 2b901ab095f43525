import { sameBytes } from '../base/bytes.ts';
import type { StoredSession } from '../spool/ports.ts';
import { peekType } from '../wire/long-form.ts';
import type { AliasEntry } from '../wire/message.ts';
import { MessageType, ShortKind } from '../wire/numbers.ts';
import { isShortForm } from '../wire/short-form.ts';
import { encodeContext, type SessionContext } from './session-context.ts';
import type { SessionIdentity } from './session-surroundings.ts';

const NO_CONTEXT = new Uint8Array(0);

/** What changes in a session and is written to disk. */
export interface RecordedState {
  /** Whether it comes back from disk: if not, only its numbers count. */
  readonly comesBack: boolean;
  readonly over: boolean;
  readonly received: number;
  readonly sent: number;
  readonly aliases: readonly AliasEntry[];
  readonly subscriptions: SessionContext['subscriptions'];
}

/** The record of a session on disk: what it says now, and whether that is more than what was written. */
export class SessionRecord {
  readonly #identity: SessionIdentity;
  readonly #state: () => RecordedState;
  /** The context as it was last written. */
  #written: Uint8Array = NO_CONTEXT;

  constructor(identity: SessionIdentity, state: () => RecordedState) {
    this.#identity = identity;
    this.#state = state;
  }

  /** The record as it is to be written. @param updatedAt epoch ms. */
  write(updatedAt: number): StoredSession {
    const { sessionId, principal, keyHash, place } = this.#identity;
    const { over, received, sent } = this.#state();
    this.#written = this.#context();
    return {
      sessionId,
      clientId: principal.clientId,
      keyHash,
      place: over ? undefined : place,
      received,
      sent,
      context: this.#written,
      updatedAt,
    };
  }

  /** Whether `frame` changed the context on its own: an ALIAS does, while a SUBSCRIBE is written before its ACK. */
  isChangedBy(frame: Uint8Array): boolean {
    const { comesBack } = this.#state();
    return comesBack && mayDeclareAliases(frame) && !sameBytes(this.#context(), this.#written);
  }

  #context(): Uint8Array {
    const { comesBack, aliases, subscriptions } = this.#state();
    return comesBack ? encodeContext({ ...this.#identity.context, aliases, subscriptions }) : NO_CONTEXT;
  }
}

/** Whether a frame holds ALIAS, or may be the last piece of one. */
function mayDeclareAliases(frame: Uint8Array): boolean {
  if (peekType(frame) === MessageType.ALIAS) return true;
  const [first = 0] = frame;
  return isShortForm(first) && ((first >> 4) & 7) === ShortKind.FRAGMENT;
}
