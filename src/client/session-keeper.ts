import { Backoff } from '../base/backoff.ts';
import type { Timer } from '../base/clock.ts';
import { HashikeError } from '../base/errors.ts';
import type { Link } from '../links/link.ts';
import type { Inbound, SessionMachine } from '../session/ports.ts';
import { Alarms } from '../session/alarms.ts';
import { SessionPipe } from '../session/pipe.ts';
import type { ConnackSuccess, Message, ReasonValue } from '../wire/message.ts';
import { MessageType, Reason } from '../wire/numbers.ts';
import { shakeHands } from './handshake.ts';
import type { Settings } from './options.ts';
import { closedError, isFinal, refusalOf, retryAfter } from './refusals.ts';
import { ClientUdp } from './udp.ts';

const RECONNECT = { initialMs: 200, maxMs: 10_000 };

/** What is sent without a number and by the link alone. */
export type ControlMessage = Parameters<SessionMachine['sendControl']>[0];

/** What the keeper of a session tells its owner. */
export interface SessionOwner {
  /** A new session takes messages: the first, or another where the server has forgotten the one before. */
  begun(pipe: SessionPipe, clientId: string): void;
  /** There is a connection, in a session that is new or goes on. */
  connected(): void;
  receive(pipe: SessionPipe, message: Inbound): void;
  /** The server has everything that is numbered up to `messageId`. */
  acknowledged(messageId: number): void;
  /** The upstream has. */
  confirmed(messageId: number): void;
  /** There will be no connection any more: it was closed, or with `error` connecting again would be in vain. */
  ended(error: HashikeError | undefined): void;
}

/** What a session needs to be resumed. */
interface SessionKey {
  readonly sessionId: Uint8Array;
  readonly resumeKey: Uint8Array;
}

/** Keeps a session with a server over links that break: connects, resumes, and begins anew where the server has forgotten the session (clause 5.4). */
export class SessionKeeper {
  readonly #settings: Settings;
  readonly #owner: SessionOwner;
  readonly #backoff: Backoff;
  readonly #udp: ClientUdp;
  #link: Link | undefined;
  #pipe: SessionPipe | undefined;
  /** Undefined before the first session, and when the server has forgotten it. */
  #key: SessionKey | undefined;
  #retry: Timer | undefined;
  /** Settled when the last connection is closed. */
  readonly #gone = Promise.withResolvers<void>();
  #ended: { readonly error: HashikeError | undefined } | undefined;

  constructor(settings: Settings, owner: SessionOwner) {
    this.#settings = settings;
    this.#owner = owner;
    this.#backoff = new Backoff({ ...RECONNECT, random: settings.random });
    this.#udp = new ClientUdp(settings, {
      ask: (requestId) => this.control((timestamp) => ({ type: MessageType.UDP_OPEN, timestamp, requestId })),
      receive: (frame) => this.#pipe?.act((session, now) => session.frameBeside(frame, now)),
    });
  }

  get connected(): boolean {
    return this.#link !== undefined;
  }

  /** Whether best-effort messages go by UDP at the moment. */
  get udp(): boolean {
    return this.#udp.up;
  }

  /** The session. Throws HSK-3104, or what ended the client. */
  get pipe(): SessionPipe {
    if (this.#ended || !this.#pipe) throw this.#ended?.error ?? closedError();
    return this.#pipe;
  }

  /** Resumes the session, or begins a new one where there is none or the server has forgotten it; from then on reconnects by itself. */
  async connect(): Promise<void> {
    for (;;) {
      const resuming = this.#key !== undefined;
      try {
        await this.#dial();
        return;
      } catch (error) {
        if (!resuming || this.#key !== undefined) throw error;
      }
    }
  }

  /** Sends a message without a number, if there is a session. */
  control(make: (timestamp: number) => ControlMessage): void {
    this.#pipe?.act((session, now) => session.sendControl(make(session.timestamp(now)), now));
  }

  /** Says goodbye. Resolves when everything that was sent is with the operating system, or the server has not taken it in a bounded time. */
  close(): Promise<void> {
    this.#sayGoodbye({ code: Reason.NORMAL, text: '' });
    this.#end(undefined);
    if (!this.#link) this.#gone.resolve();
    return this.#gone.promise;
  }

  async #dial(): Promise<void> {
    const { dial, clock, timeoutMs } = this.#settings;
    const link = await dial();
    if (this.#ended) {
      link.close();
      throw closedError();
    }
    await shakeHands(link, {
      hello: this.#hello(),
      clock,
      timeoutMs,
      answered: (message) => this.#answered(link, message),
      after: {
        frame: (bytes) => {
          if (link === this.#link) this.#pipe?.frame(bytes);
        },
        drained: () => {
          if (link === this.#link) this.#pipe?.drained();
        },
        closed: () => this.#lost(link),
      },
    });
  }

  #hello(): Message {
    const { token, clientName, keepAliveMs, resumeWindowMs, will, confirm } = this.#settings;
    if (this.#key) {
      const messageId = this.#pipe?.session.settled ?? 0;
      return { type: MessageType.CONNECT_RESUME, timestamp: 0, messageId, ...this.#key };
    }
    return {
      type: MessageType.CONNECT_TOKEN,
      timestamp: 0,
      token,
      clientName,
      keepAlive: keepAliveMs,
      resumeWindow: resumeWindowMs,
      confirm,
      will,
      aliases: [],
    };
  }

  #answered(link: Link, message: Message): void {
    if (message.type === MessageType.CONNACK_SUCCESS) {
      this.#begin(link, message);
    } else if (message.type === MessageType.CONNACK_RESUMED) {
      this.#link = link;
      this.#pipe?.attach(link, message.messageId);
      // No key any more: it turned out that the server has lost state.
      if (this.#key) this.#udp.connected(link);
      this.#owner.connected();
    } else if (message.type === MessageType.CONNACK_FAILED_SESSION_EXPIRED) {
      // What had arrived is not sent again (clause 5.4.3).
      this.#key = undefined;
      if (message.messageId !== undefined) this.#owner.acknowledged(message.messageId);
      throw new HashikeError('HSK-3104', 'the server has ended the session');
    } else {
      throw refusalOf(message);
    }
  }

  #begin(link: Link, { clientId, sessionId, resumeKey, keepAlive, port }: ConnackSuccess): void {
    const { clock, sendQueueBytes, receiveQueue, log } = this.#settings;
    const pipe = new SessionPipe({
      alarms: new Alarms(clock),
      session: {
        side: 'client',
        sessionId,
        keepAliveMs: keepAlive,
        epoch: clock.now(),
        // Twice what publishes may take: there is room for subscriptions, and for saying everything again.
        limits: { sendQueueBytes: 2 * sendQueueBytes, unsettledMessages: receiveQueue, reorderMessages: 0 },
        aliases: [],
        received: 0,
        sent: 0,
        restored: false,
      },
      effects: {
        dropped: (reason) => log.debug({ reason }, 'a message was dropped'),
        transmitBeside: (frame) => this.#udp.offer(frame),
        receive: (message) => this.#receive(pipe, message),
        acknowledged: (messageId) => this.#owner.acknowledged(messageId),
        confirmed: (messageId) => this.#owner.confirmed(messageId),
        violated: (error) => {
          log.warn({ err: error }, 'the server broke the protocol');
          this.#link?.close();
        },
        stateLost: (error) => this.#beginAnew(error),
        silent: () => this.#link?.close(),
        heard: () => undefined,
        reset: () => undefined,
      },
    });
    this.#key = { sessionId: sessionId.slice(), resumeKey: resumeKey.slice() };
    this.#pipe = pipe;
    this.#link = link;
    pipe.attach(link, 0);
    this.#udp.connected(link, port !== undefined);
    this.#owner.begun(pipe, clientId);
    this.#owner.connected();
  }

  /** The server has lost state: what it has not acknowledged goes over to a new session (clause 6.5.6). */
  #beginAnew(error: HashikeError): void {
    this.#settings.log.warn(error.facts, 'the server has lost state; a new session begins');
    this.#key = undefined;
    this.#sayGoodbye({ code: Reason.STATE_LOST, text: 'less is claimed than was acknowledged' });
    this.#link?.close();
  }

  #receive(pipe: SessionPipe, message: Inbound): void {
    if (message.type === MessageType.DISCONNECT) this.#dismissed(message.reason);
    else if (message.type === MessageType.UDP_TICKET) this.#udp.ticket(message);
    else this.#owner.receive(pipe, message);
  }

  /** DISCONNECT by the server. Another connection with our token would be fought for ever, so that is final. */
  #dismissed(reason: ReasonValue | undefined): void {
    const link = this.#link;
    if (reason?.code === Reason.TAKEN_OVER) {
      this.#end(new HashikeError('HSK-3104', `the server ended the connection: ${reason.text}`));
    }
    link?.close();
  }

  #lost(link: Link): void {
    if (link !== this.#link) return;
    this.#link = undefined;
    this.#udp.lost();
    this.#pipe?.detach();
    if (this.#ended) this.#gone.resolve();
    else this.#reconnectLater(0);
  }

  #reconnectLater(leastMs: number): void {
    this.#retry = this.#settings.clock.after(Math.max(leastMs, this.#backoff.next()), () => {
      this.connect().then(
        () => this.#backoff.reset(),
        (error: unknown) => {
          this.#settings.log.debug({ err: error }, 'could not reconnect');
          if (this.#ended) return;
          if (isFinal(error)) this.#end(error);
          else this.#reconnectLater(retryAfter(error));
        },
      );
    });
  }

  #sayGoodbye(reason: ReasonValue): void {
    this.control((timestamp) => ({ type: MessageType.DISCONNECT, timestamp, reason }));
  }

  #end(error: HashikeError | undefined): void {
    if (this.#ended) return;
    this.#ended = { error };
    this.#retry?.cancel();
    this.#owner.ended(error);
    this.#udp.lost();
    this.#link?.close();
  }
}
