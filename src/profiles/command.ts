import { textOf } from '../base/bytes.ts';
import { HashikeError } from '../base/errors.ts';
import type { ContentType } from './content-type.ts';
import { encodeValues, opaqueContent, splitValues, wouldFit } from './named-values.ts';
import type { PayloadFormat } from './payload.ts';
import type { Profiles } from './profiles.ts';
import { parseSenml } from './senml.ts';

/**
 * Raw content sections for a command that came from upstream. Where an alias with a layout names the topic, JSON and SenML are
 * encoded by it and raw bytes are cut by it if their length fits; everything else is one opaque section with the bytes as they are.
 * Throws HSK-2302 and HSK-2304 with what would fit.
 */
export function parseCommand(
  topic: string,
  bytes: Uint8Array,
  format: PayloadFormat,
  profiles: Profiles,
): Uint8Array {
  const layout = profiles.layoutOf(topic);
  if (!layout) return opaqueContent(bytes);
  switch (format) {
    case 'raw':
      return splitValues(layout, bytes) ?? opaqueContent(bytes);
    case 'json':
      return encodeValues(layout, parseJson(layout, bytes));
    case 'senml':
      return encodeValues(layout, parseSenml(parseJson(layout, bytes)));
  }
}

function parseJson(layout: readonly ContentType[], bytes: Uint8Array): unknown {
  try {
    return JSON.parse(textOf(bytes));
  } catch (error) {
    throw new HashikeError('HSK-2304', `the payload is no JSON; what fits is ${wouldFit(layout)}`, {}, error);
  }
}
