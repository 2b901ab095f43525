/** A room in a page; `?ws=wss://…` names a gateway elsewhere. */
import { enter } from './room.js';

const [door, mouth, state, people, said] = ['door', 'mouth', 'state', 'people', 'said'].map((id) =>
  document.getElementById(id),
);
const url = new URLSearchParams(location.search).get('ws') ?? `ws://${location.hostname}:7859`;

door.addEventListener('submit', async (event) => {
  event.preventDefault();
  const { name, room, token } = Object.fromEntries(new FormData(door));
  state.textContent = 'Connecting …';
  try {
    const place = await enter({ url, token, name, room });
    door.hidden = true;
    mouth.hidden = false;
    state.textContent = `${name} in ${room}`;
    mouth.addEventListener('submit', (spoken) => say(spoken, place));
    await Promise.all([listen(place), look(place)]);
  } catch (error) {
    complain(error);
  }
});

/** What is said stays pale until the gateway has it. */
async function say(event, place) {
  event.preventDefault();
  const { text } = Object.fromEntries(new FormData(mouth));
  mouth.reset();
  mouth.classList.add('waiting');
  try {
    await place.say(text);
  } catch (error) {
    complain(error);
  }
  mouth.classList.remove('waiting');
}

async function listen({ heard }) {
  for await (const { name, text } of heard()) add(said, `${name}: ${text}`).scrollIntoView();
}

/** Keeps the list of those who are here. */
async function look({ people: comingAndGoing }) {
  const lines = new Map();
  for await (const { name, joined } of comingAndGoing()) {
    if (joined) lines.set(name, add(people, name));
    else lines.get(name)?.remove();
  }
}

function add(list, text) {
  const line = document.createElement('li');
  line.textContent = text;
  list.append(line);
  return line;
}

function complain({ message }) {
  state.textContent = message;
}
