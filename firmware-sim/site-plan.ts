import { createHash } from 'node:crypto';
import { stringify } from 'yaml';
import { utf8 } from './codec/bytes.ts';
import type { Channel } from './node/channel.ts';
import { Random } from './random.ts';

/** Topics of a node, as the gateway's profile names them. */
export interface Topics {
  readonly readings: string;
  readonly state: string;
  readonly commands: string;
}

export function topicsOf(name: string): Topics {
  return { readings: `${name}/temperature`, state: `${name}/state`, commands: `${name}/set` };
}

/** Not secret: whoever knows the name knows the token. */
export function tokenOf(name: string): string {
  return `token-of-${name}`;
}

/** Chance for one node of a seeded run. */
export function randomOf(name: string, seed: number): Random {
  return new Random(utf8(name).reduce((hash, byte) => hash * 31 + byte, seed));
}

const PROFILE_NAME = 'sim';

/** The profile of every simulated node, in the words of the gateway's configuration. */
export const profile = {
  contents: [
    { type: 0x8001, name: 'sequence', encoding: 'u32' },
    { type: 0x8002, name: 'temperature', unit: 'Cel', encoding: 'i16', scale: 0.01 },
    { type: 0x8003, name: 'command', encoding: 'u32' },
  ],
  aliases: [
    { alias: 0, topic: '{client}/temperature', layout: ['sequence', 'temperature'] },
    { alias: 1, topic: '{client}/state', layout: ['sequence', 'command'] },
    { alias: 2, topic: '{client}/set', layout: ['command'] },
  ],
  commands: ['{client}/set'],
};

/** The same as the node's firmware holds it. */
export function channelsOf(name: string): readonly Channel[] {
  const { readings, state, commands } = topicsOf(name);
  const sequence = { type: 0x8001, length: 4 };
  const command = { type: 0x8003, length: 4 };
  return [
    { alias: 0, topic: readings, layout: [sequence, { type: 0x8002, length: 2 }] },
    { alias: 1, topic: state, layout: [sequence, command] },
    { alias: 2, topic: commands, layout: [command] },
  ];
}

export interface Site {
  readonly serial: readonly { readonly path: string; readonly baud: number; readonly name: string }[];
  readonly clients: readonly { readonly name: string; readonly token: string }[];
}

/** `serial`, `profiles` and `clients` of the gateway's configuration for these nodes; ready to be spread into the rest of it. */
export function configurationOf({ serial, clients }: Site): {
  serial: object[];
  profiles: Record<string, typeof profile>;
  clients: object[];
} {
  return {
    serial: serial.map((port) => ({ ...port })),
    profiles: { [PROFILE_NAME]: profile },
    clients: clients.map(({ name, token }) => ({
      name,
      token: `sha256:${createHash('sha256').update(token).digest('hex')}`,
      publish: ['{client}/temperature', '{client}/state'],
      subscribe: ['{client}/set'],
      profile: PROFILE_NAME,
    })),
  };
}

/** The same as text for a configuration file. */
export function yamlOf(site: Site): string {
  return stringify(configurationOf(site));
}
