import { join as joinPath } from 'node:path';
import { realClock, type Clock } from './clock.ts';
import type { Aliasing } from './node/channel.ts';
import { join, SerialLine, type LineFaults } from './line/serial-line.ts';
import { Pty } from './line/pty.ts';
import { actuator } from './node/behaviours/actuator.ts';
import { corruptor } from './node/behaviours/corruptor.ts';
import { rebooter } from './node/behaviours/rebooter.ts';
import { sensor } from './node/behaviours/sensor.ts';
import { sleepy } from './node/behaviours/sleepy.ts';
import type { Behaviour } from './node/behaviour.ts';
import { addSums, type Ledger, type LedgerSums } from './node/ledger.ts';
import { SimNode } from './node/node.ts';
import { channelsOf, randomOf, tokenOf, topicsOf, type Site, type Topics } from './site-plan.ts';

export const behaviourNames = ['sensor', 'actuator', 'sleepy', 'rebooter', 'corruptor'] as const;
export type BehaviourName = (typeof behaviourNames)[number];

/** What all nodes of a fleet have in common, each with a default that suits a demonstration. */
export interface FleetOptions {
  readonly clock?: Clock;
  /** Default 1. */
  readonly seed?: number;
  /** Default 115,200. */
  readonly baud?: number;
  /** Between two readings of a node; default 1000. */
  readonly intervalMs?: number;
  readonly faults?: LineFaults;
  /** Default sensor and actuator. */
  readonly behaviours?: readonly BehaviourName[];
  readonly aliasing?: Aliasing;
  /** SUBSCRIBE to the commands, rather than rely on the gateway's profile; default false. */
  readonly subscribe?: boolean;
  readonly keepAliveMs?: number;
  /** Default 10,000. */
  readonly outboxReadings?: number;
  /** Say RESUME after sleep, and so get commands at once; default true. */
  readonly resumeOnWake?: boolean;
  /** Further behaviours of the node's own. */
  readonly extra?: readonly Behaviour[];
}

/** A node and its wire. The gateway's end of the wire, `line.gateway`, is free to be connected to anything. */
export interface WiredNode {
  readonly node: SimNode;
  readonly line: SerialLine;
  readonly token: string;
  readonly topics: Topics;
}

/** One node on a line of its own; the same name and seed give the same run. */
export function wireNode(name: string, options: FleetOptions = {}): WiredNode {
  const { clock = realClock, seed = 1, baud = 115_200, faults = {} } = options;
  const random = randomOf(name, seed);
  const line = new SerialLine({ clock, random: random.fork(), baud, faults });
  const topics = topicsOf(name);
  const token = tokenOf(name);
  const node = new SimNode({
    name,
    token,
    clock,
    random: random.fork(),
    port: line.node,
    baud,
    channels: channelsOf(name),
    behaviours: behavioursOf(topics, options),
    resumeOnWake: options.resumeOnWake ?? true,
    subscribe: options.subscribe === true ? [topics.commands] : [],
    ...(options.aliasing && { aliasing: options.aliasing }),
    ...(options.outboxReadings !== undefined && { outboxReadings: options.outboxReadings }),
    ...(options.keepAliveMs !== undefined && { keepAliveMs: options.keepAliveMs }),
  });
  return { node, line, token, topics };
}

function behavioursOf({ readings, state, commands }: Topics, options: FleetOptions): Behaviour[] {
  const { behaviours = ['sensor', 'actuator'], intervalMs = 1000, extra = [] } = options;
  const makers: Record<BehaviourName, () => Behaviour> = {
    sensor: () => sensor({ topic: readings, intervalMs }),
    actuator: () => actuator({ commands, state }),
    sleepy: () => sleepy({ asleepMs: 5 * intervalMs, awakeMs: Math.max(100, intervalMs) }),
    rebooter: () => rebooter({ everyMs: 20 * intervalMs }),
    corruptor: () => corruptor({ everyMs: 3 * intervalMs }),
  };
  return [...behaviours.map((name) => makers[name]()), ...extra];
}

/** Several nodes, each on a pseudo-terminal of its own below one directory; in real time. */
export class SerialFleet {
  readonly nodes: readonly (WiredNode & { readonly pty: Pty })[];
  readonly #baud: number;

  constructor(names: readonly string[], directory: string, options: FleetOptions = {}) {
    this.#baud = options.baud ?? 115_200;
    this.nodes = names.map((name) => {
      const wired = wireNode(name, options);
      const pty = new Pty(joinPath(directory, `tty-${name}`));
      join(wired.line.gateway, pty);
      return { ...wired, pty };
    });
  }

  /** For the gateway's configuration: see `configurationOf` and `yamlOf`. */
  get site(): Site {
    return {
      serial: this.nodes.map(({ node, pty }) => ({ path: pty.path, baud: this.#baud, name: node.name })),
      clients: this.nodes.map(({ node, token }) => ({ name: node.name, token })),
    };
  }

  get ledgers(): readonly Ledger[] {
    return this.nodes.map(({ node }) => node.ledger);
  }

  get sums(): LedgerSums {
    return addSums(this.ledgers);
  }

  /** Plugs the devices in and powers the nodes up. */
  start(): void {
    for (const { pty, node } of this.nodes) {
      pty.plug();
      node.start();
    }
  }

  /** Power off, and the devices vanish. */
  stop(): void {
    for (const { pty, node } of this.nodes) {
      node.stop();
      pty.unplug();
    }
  }
}
