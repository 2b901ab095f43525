import { describe } from 'vitest';
import { missingTools, type Tool, toolTable } from './tools.ts';

/**
 * The `describe` for suites that need programs of the system. Where one is missing, the suite is skipped under a name that says
 * which and how to get it; with `CI=true` that is an error instead, so that nothing is left out unseen.
 *
 *     const describe = requires('mosquitto', 'socat');
 *     describe('an upstream mosquitto', () => { … });
 */
export function requires(...tools: readonly Tool[]): (name: string, suite: () => void) => void {
  const missing = missingTools(tools);
  if (missing.length === 0) return (name, suite) => void describe(name, suite);
  const reason = missing.map((tool) => `${tool} is missing: ${toolTable[tool].cure}`).join('; ');
  if (process.env['CI'] === 'true') throw new Error(`with CI=true no suite may be skipped, and ${reason}`);
  return (name, suite) => void describe.skip(`${name} [${reason}]`, suite);
}
