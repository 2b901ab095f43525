#!/usr/bin/env node
import { runCli } from './cli/application.ts';

await runCli(process.argv.slice(2), process);
