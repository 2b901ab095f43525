import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** The program that npm installs as `hashike`. */
export const program = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

/** Runs `hashike` with these arguments to its end, which must come within 20 s. */
export function hashike(
  ...args: readonly string[]
): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }> {
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [program, ...args], { timeout: 20_000 }, (error, stdout, stderr) => {
      const code = error ? error.code : 0;
      if (typeof code === 'number') resolve({ code, stdout, stderr });
      else reject(new Error(`hashike ${args.join(' ')} did not end by itself:\n${stderr}`, { cause: error }));
    });
  });
}
