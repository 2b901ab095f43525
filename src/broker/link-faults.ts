import type { Clock } from '../base/clock.ts';
import type { Counters } from '../base/counters.ts';
import { DropReport } from '../base/drop-report.ts';
import type { HashikeError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { Link } from '../links/link.ts';

const faults = {
  malformed: { level: 'warn', text: 'peers sent what is no message of the protocol' },
  'wrong-token': { level: 'warn', text: 'clients have a token that the configuration does not know' },
  broken: { level: 'info', text: 'links broke' },
} as const;

export interface LinkFaultsServices {
  readonly clock: Clock;
  readonly counters: Counters;
  readonly log: Log;
}

/**
 * What is wrong with links rather than with a session. Noise on a port brings many a second: each is counted, and the log tells of them now and then, of each link's on their own.
 */
export class LinkFaults {
  readonly #services: LinkFaultsServices;
  readonly #reports = new Map<string, DropReport>();

  constructor(services: LinkFaultsServices) {
    this.#services = services;
  }

  add(fault: keyof typeof faults, link: Pick<Link, 'name' | 'peer'>, error: HashikeError): void {
    const key = `${fault} ${link.name}`;
    let report = this.#reports.get(key);
    if (!report) {
      const { clock, counters, log } = this.#services;
      const place = fault === 'wrong-token' ? 'handshake' : link.name;
      report = new DropReport({ clock, counters, log, place, ...faults[fault] });
      this.#reports.set(key, report);
    }
    report.add(fault, { link: link.name, peer: link.peer, ...error.facts });
  }
}
