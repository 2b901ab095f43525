#!/usr/bin/env node
import { runCli } from './cli/application.ts';

/** Resolves when everything written to `stream` has left: a slow reader at the other end of a pipe must not miss the last lines. */
function flushed(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => {
    if (stream.destroyed || stream.writableLength === 0) resolve();
    else stream.write('', () => resolve());
  });
}

await runCli(process.argv.slice(2), process);
await Promise.all([flushed(process.stdout), flushed(process.stderr)]);
// The command is done, whatever timers a library still holds: node-coap's would keep a stopped gateway alive for seconds.
process.exit();
