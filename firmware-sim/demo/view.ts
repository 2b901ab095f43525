import type { DemoSite } from './site.ts';

const BAR_CELLS = 40;

interface StatusView {
  readonly links?: readonly {
    readonly name: string;
    readonly state: string;
    readonly detail?: { readonly [key: string]: unknown };
  }[];
  readonly upstream?: readonly { readonly state: string }[];
  readonly spool?: readonly { readonly consumer: string; readonly messages: number }[];
}

/** The screen: nodes, links, readings, queue, upstream, keys and the next step. `seconds` since the start. */
export async function screen(site: DemoSite, seconds: number): Promise<string> {
  const status = (await site.status()) as StatusView | undefined;
  const { made, acknowledged, delivered, lost, duplicated, commands, answered } = site.account;
  const waiting = status?.spool?.find(({ consumer }) => consumer === 'upstream/mqtt')?.messages ?? 0;
  const lines = [
    `Hashike demo · ${seconds} s · ${site.directory}`,
    '',
    `${'node'.padEnd(10)}${'made'.padStart(7)}${'acked'.padStart(7)}${'waiting'.padStart(9)}${'sent again'.padStart(12)}  newest in the cloud`,
    ...site.ledgers.map((ledger) => {
      const { made, acknowledged, waiting } = ledger.sums;
      const again = ledger.counts.get('retransmission') ?? 0;
      const newest = site.latest.get(`${ledger.node}/temperature`) ?? '';
      return `${ledger.node.padEnd(10)}${pad(made, 7)}${pad(acknowledged, 7)}${pad(waiting, 9)}${pad(again, 12)}  ${newest}`;
    }),
    '',
    `gateway   ${status ? `links ${links(status)}` : 'not running'}`,
    `uplink    ${site.plugged ? (status?.upstream?.[0]?.state ?? 'unknown') : 'CABLE PULLED'}`,
    `on disk   ${bar(waiting)} ${waiting} waiting for the cloud`,
    `cloud     ${delivered} readings, ${lost === 0 ? 'nothing acknowledged is missing' : `${lost} still on their way`}, ${duplicated} doubled · commands ${answered}/${commands} answered`,
    `total     ${made} made, ${acknowledged} acknowledged`,
    '',
    'keys: c pull or plug the uplink cable · k kill -9 the gateway · q quit',
    'next: sudo scripts/install, then edit /etc/hashike/hashike.yaml',
  ];
  return `${lines.join('\n')}\n`;
}

function links(status: StatusView): string {
  const all = status.links ?? [];
  return `${all.filter(({ state }) => state === 'open').length}/${all.length} open`;
}

function pad(value: number, width: number): string {
  return String(value).padStart(width);
}

/** A bar whose length grows with the logarithm of the queue. */
function bar(waiting: number): string {
  const cells = Math.min(BAR_CELLS, Math.round(Math.log2(waiting + 1) * 4));
  return '█'.repeat(cells).padEnd(BAR_CELLS, '·');
}
