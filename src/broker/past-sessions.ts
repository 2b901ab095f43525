import type { Log } from '../base/log.ts';
import type { Spool } from '../spool/ports.ts';
import type { ClientSession } from './client-session.ts';
import { bytesOf } from './session-surroundings.ts';

/** Those that are remembered: one a client, so only clients that share a token can be more. */
const MAX_REMEMBERED = 10_000;

/** A session that is over, as far as its client may still ask for it (clause 5.4.3). */
interface Past {
  readonly clientId: string;
  readonly idHex: string;
  /** Hex of the SHA-256 of the RESUME_KEY. */
  readonly keyHash: string;
  /** Last MESSAGE_ID of which custody has passed. */
  readonly received: number;
  /** Whether there is a record of it on disk. */
  readonly saved: boolean;
  /** The session itself, while custody of its last messages is not decided: what it says is newer. */
  readonly undecided?: ClientSession | undefined;
}

/** What became of a session that is over. */
export type Fate =
  /** Custody of its last messages is not decided yet. */
  { readonly state: 'busy' } | { readonly state: 'over'; readonly received: number };

/** The last session of each client that is over, and how far it came. */
export class PastSessions {
  readonly #spool: Pick<Spool, 'forgetSession'>;
  readonly #log: Log;
  /** By CLIENT_ID. */
  readonly #all = new Map<string, Past>();

  constructor(spool: Pick<Spool, 'forgetSession'>, log: Log) {
    this.#spool = spool;
    this.#log = log;
  }

  /** Remembers a session that has just ended. */
  add(session: ClientSession): void {
    this.remember({ ...pastOf(session), undecided: session.custody.busy ? session : undefined });
  }

  /** Custody of its last messages is decided: of thousands that are over none is kept whole. */
  decided(session: ClientSession): void {
    if (this.#all.get(session.clientId)?.undecided === session)
      this.#all.set(session.clientId, pastOf(session));
  }

  remember(past: Past): void {
    this.#all.delete(past.clientId);
    this.#all.set(past.clientId, past);
    const [oldest] = this.#all.keys();
    if (this.#all.size > MAX_REMEMBERED && oldest !== undefined) this.#all.delete(oldest);
  }

  /** What became of the session of a CONNECT_RESUME. @param fits whether its key has this hash */
  find(idHex: string, fits: (keyHash: string) => boolean): Fate | undefined {
    for (const past of this.#all.values()) {
      if (past.idHex !== idHex || !fits(past.keyHash)) continue;
      if (past.undecided?.custody.busy) return { state: 'busy' };
      return { state: 'over', received: past.undecided?.settled ?? past.received };
    }
    return undefined;
  }

  /** Forgets the last session of a client, also on disk. */
  forget(clientId: string): void {
    const past = this.#all.get(clientId);
    if (!past) return;
    this.#all.delete(clientId);
    past.undecided?.custody.forget();
    if (past.undecided?.custody.saved ?? past.saved) this.forgetOnDisk(past.idHex);
  }

  forgetOnDisk(idHex: string): void {
    this.#spool.forgetSession(bytesOf(idHex)).catch((error: unknown) => {
      this.#log.error({ err: error }, 'a session that is over could not be deleted from the disk');
    });
  }
}

function pastOf({ clientId, idHex, identity, settled, custody }: ClientSession): Past {
  return { clientId, idHex, keyHash: identity.keyHash, received: settled, saved: custody.saved };
}
