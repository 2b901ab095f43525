/** A room in a page; `?ws=wss://…` names a gateway elsewhere. */
import { enter } from './room.js';

const [door, mouth, state, said] = ['door', 'mouth', 'state', 'said'].map((id) =>
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
    for await (const { name: who, text } of place.heard()) show(`${who}: ${text}`);
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

function show(text) {
  const line = document.createElement('li');
  line.textContent = text;
  said.append(line);
  line.scrollIntoView();
}

function complain({ message }) {
  state.textContent = message;
}
