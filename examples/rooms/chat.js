#!/usr/bin/env node
/** A room in the terminal. Each line that is typed is said; the end of the input (Ctrl-D) leaves. */
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { enter } from './room.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    url: { type: 'string', default: 'hashike://127.0.0.1:7858' },
    token: { type: 'string', default: 'a token for the example' },
  },
});
const [name, room = 'lobby'] = positionals;

if (name === undefined) {
  console.error('Usage: chat.js [--url URL] [--token TOKEN] NAME [ROOM]');
  process.exit(2);
}

try {
  const place = await enter({ ...values, name, room });
  console.log(`* you are in ${room}`);
  const listening = Promise.all([listen(place), look(place)]);
  for await (const line of createInterface({ input: process.stdin })) {
    if (line.trim() !== '') await place.say(line);
  }
  await place.leave();
  await listening;
} catch (error) {
  // It says what is wrong and ends with a code, for which docs/errors.md says what to do.
  console.error(error.message);
  process.exitCode = 1;
}

async function listen({ heard }) {
  for await (const { name: who, text } of heard()) console.log(`${who}: ${text}`);
}

async function look({ people }) {
  for await (const { name: who, joined } of people()) console.log(`* ${who} ${joined ? 'is here' : 'left'}`);
}
