import { writeSync } from 'node:fs';

import { hex } from '../../src/base/bytes.ts';
import type { StoredPublication } from '../../src/spool/ports.ts';
import { openSpool } from '../../src/spool/spool.ts';
import { publicationOf } from '../support/publications.ts';
import { spoolOptions } from '../support/temp-spool.ts';

/*
 * A gateway reduced to its spool, to be killed at any moment. Three nodes append what follows their session's mark, 20 at a time,
 * and an upstream takes it. Each line tells one fact: `A node id`, acknowledged to the node; `D seq node id`, delivered upstream,
 * said before the record may be deleted.
 */
const NODES = 3;
const IN_FLIGHT = 20;

const spool = await openSpool(spoolOptions(process.argv[2] ?? ''));
const cloud = spool.consumer('cloud');

function tell(line: string): void {
  writeSync(1, `${line}\n`);
}

async function runNode(node: number): Promise<void> {
  const sessionId = new Uint8Array(8).fill(node);
  const stored = (await spool.loadSessions()).find((session) => session.sessionId[0] === node);
  if (!stored) {
    await spool.saveSession({
      sessionId,
      clientId: `node-${node}`,
      keyHash: new Uint8Array(32),
      received: 0,
      sent: 0,
      context: new Uint8Array(),
      updatedAt: Date.now(),
    });
  }
  let messageId = stored?.received ?? 0;
  const publish = async (): Promise<void> => {
    for (;;) {
      const id = (messageId += 1);
      const publication = publicationOf(id, {
        origin: { clientId: `node-${node}`, sessionId: hex(sessionId), messageId: id },
      });
      await spool.append([{ consumer: 'cloud', publication }], { sessionId, received: id });
      tell(`A ${node} ${id}`);
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, publish));
}

function describeRecord({ seq, publication: { origin } }: StoredPublication): string {
  return `D ${seq} ${origin.clientId.slice('node-'.length)} ${origin.messageId}`;
}

async function runUpstream(): Promise<void> {
  let after = 0;
  let grown = Promise.withResolvers<void>();
  cloud.onAppended(() => grown.resolve());
  for (;;) {
    const records = await cloud.read(after, 50);
    const last = records.at(-1);
    if (last) {
      tell(records.map(describeRecord).join('\n'));
      after = last.seq;
      await cloud.acknowledge(after);
    } else {
      await grown.promise;
      grown = Promise.withResolvers();
    }
  }
}

await Promise.all([runUpstream(), ...Array.from({ length: NODES }, (_, index) => runNode(index + 1))]);
