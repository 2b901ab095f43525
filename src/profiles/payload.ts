import { utf8 } from '../base/bytes.ts';
import type { Publication } from '../wire/publication.ts';
import { type JsonValue, toJson } from './json-value.ts';
import { joinedValues, type NamedValue, readValues } from './named-values.ts';
import type { ClientProfile } from './profiles.ts';
import { renderSenml } from './senml.ts';

export type PayloadFormat = 'json' | 'senml' | 'raw';

/** A publication as it goes upstream. */
export interface Payload {
  readonly bytes: Uint8Array;
  /** Media type, for the MQTT 5 property of that name. */
  readonly contentType: string;
}

export interface PayloadContext {
  /** Of the client that the publication comes from. */
  readonly profile: ClientProfile;
  /** Name of the gateway. */
  readonly gateway: string;
  /** See `publicationId`. */
  readonly id: string;
}

/** What `publication` says, in the form that docs/payloads.md describes. Never throws. */
export function renderPayload(
  publication: Publication,
  format: PayloadFormat,
  { profile, gateway, id }: PayloadContext,
): Payload {
  switch (format) {
    case 'raw':
      return { bytes: joinedValues(publication.content), contentType: 'application/octet-stream' };
    case 'senml': {
      const values = readValues(profile, publication.content);
      return {
        bytes: jsonBytes(renderSenml(publication, values, gateway, id)),
        contentType: 'application/senml+json',
      };
    }
    case 'json': {
      const values = readValues(profile, publication.content);
      return { bytes: jsonBytes(renderJson(publication, values, id)), contentType: 'application/json' };
    }
  }
}

function renderJson(publication: Publication, values: readonly NamedValue[], id: string): JsonValue {
  const [first] = values;
  return {
    id,
    client: publication.origin.clientId,
    topic: publication.topic,
    time: isoTime(publication.taken.at),
    uncertainty: publication.taken.uncertainty ?? null,
    ...(values.length === 1 && first ? jsonMember(first) : { values: values.map(jsonMember) }),
  };
}

function jsonMember({ name, value, unit, problem }: NamedValue): Readonly<Record<string, JsonValue>> {
  return {
    name,
    value: toJson(value),
    ...(unit === undefined ? {} : { unit }),
    ...(value instanceof Uint8Array ? { encoding: 'base64' } : {}),
    ...(problem === undefined ? {} : { problem }),
  };
}

/** ISO 8601 in UTC with milliseconds; a time that no calendar holds is the nearest one that it does. */
function isoTime(at: number): string {
  const limit = 8.64e15;
  return new Date(Math.min(limit, Math.max(-limit, at))).toISOString();
}

function jsonBytes(value: JsonValue): Uint8Array {
  return utf8(JSON.stringify(value));
}
