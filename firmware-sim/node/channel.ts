import { encodeLayout, type Layout } from '../codec/layout.ts';
import { encodeSections, make, type Section } from '../codec/long-form.ts';

/** A topic of the node, and the alias and layout that stand for it in the short form. */
export interface Channel {
  readonly alias: number;
  readonly topic: string;
  readonly layout: Layout;
}

/**
 * How the gateway learns a node's aliases: from its configuration (`profile`), from the node's CONNECT_TOKEN (`connect`) or ALIAS (`message`), or not
 * at all, so that everything goes in the long form (`never`).
 */
export type Aliasing = 'profile' | 'connect' | 'message' | 'never';

export function aliasEntry({ alias, topic, layout }: Channel): Section {
  const sections = [make('aliasId', [alias, 1]), make('topic', topic)];
  if (layout.length > 0) sections.push(make('layout', encodeLayout(layout)));
  return make('aliasEntry', encodeSections(sections));
}
