#!/usr/bin/env node
import { runCli } from './cli/application.ts';

await runCli(process.argv.slice(2), process);
// The command is done, whatever timers a library still holds: node-coap's would keep a stopped gateway alive for seconds.
process.exit();
