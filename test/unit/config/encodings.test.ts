import { expect, test } from 'vitest';
import { contentEncodings, isIntegerEncoding, isVariableLength } from '../../../src/config/schema.ts';
import { type ContentEncoding, makeContentType } from '../../../src/profiles/content-type.ts';

test.each(contentEncodings)(
  'the configuration knows of %s what the profiles do',
  (encoding: ContentEncoding) => {
    const make = (scale?: number) => makeContentType({ type: 0x8001, name: 'x', encoding, scale });
    expect(isVariableLength(encoding)).toBe(make().length === undefined);
    if (isIntegerEncoding(encoding)) expect(make(0.1).takes).toContain('an integer');
    else expect(() => make(0.1)).toThrow(expect.objectContaining({ code: 'HSK-2303' }));
  },
);
