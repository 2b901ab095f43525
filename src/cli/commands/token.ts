import { createHash } from 'node:crypto';
import { buildCommand } from '@stricli/core';
import { systemRandom } from '../../base/random.ts';
import type { CliContext } from '../context.ts';

/** 128 random bits: too many to guess, so that a plain hash of it is safe at rest. */
const TOKEN_BYTES = 16;

export const newTokenCommand = buildCommand({
  docs: {
    brief: 'Make an access token: for the device, and its hash for the configuration',
    fullDescription:
      'Prints a fresh token once; the gateway never stores it. Give it to the device and put the hash into the configuration.',
  },
  parameters: {},
  func(this: CliContext): void {
    const token = Buffer.from(systemRandom.bytes(TOKEN_BYTES)).toString('base64url');
    const hash = createHash('sha256').update(token).digest('hex');
    this.process.stdout.write(
      `token for the device:        ${token}\ntoken for the configuration: sha256:${hash}\n`,
    );
  },
});
