import { parentPort } from 'node:worker_threads';

import { invariant } from '../base/errors.ts';
import { toFailure } from '../base/failure.ts';
import { spoolError } from './failure.ts';
import type { Reply, Request, Requests, RequestKind } from './requests.ts';
import { Store } from './store.ts';

/*
 * The thread that waits for the disk, so that the main one never does. It answers one request after the other; a commit is
 * answered only when its transaction is on disk.
 */
let store: Store | undefined;

function opened(): Store {
  invariant(store !== undefined, 'the spool was used before it was opened');
  return store;
}

function answer(request: Request): Requests[RequestKind]['answer'] {
  switch (request.kind) {
    case 'open':
      store = new Store(request.ask);
      return { id: store.id, depths: store.depths };
    case 'commit':
      return opened().commit(request.ask);
    case 'read':
      return opened().read(request.ask);
    case 'sessions':
      return opened().sessions(request.ask);
    case 'retained':
      return opened().retained();
    case 'probe':
      opened().probe();
      return null;
    case 'close':
      opened().close();
      return null;
  }
}

const port = parentPort;
invariant(port !== null, 'this file runs as a worker only');
port.on('message', (request: Request) => {
  let reply: Reply;
  try {
    reply = { answer: answer(request) };
  } catch (error) {
    reply = { failure: toFailure(spoolError(error, request.kind)) };
  }
  port.postMessage(reply);
});
