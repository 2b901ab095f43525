/** A room: everybody who is in it hears what anybody in it says, and sees who comes and goes. The same code runs in Node and in a page. */
import { connect, contentSections, encodeContent } from 'hashike/client';

const TEXT = 0x8000;

/** Connects and enters; rejects with a HashikeError. */
export async function enter({ url, token, name, room }) {
  const client = await connect({ url, token, clientName: name });
  const topic = `rooms/${room}`;
  // To hear what is said in a room is to be in it: present on a topic is who has subscribed to it.
  const messages = await client.subscribe(topic);
  const presence = await client.watch(topic);
  return {
    /** Resolves when the gateway has it. Broken connections do not matter: it arrives once, and in order. */
    say: (text) => client.publish(topic, encodeContent([{ contentType: TEXT, value: utf8(text) }])),
    /** What is said, one after the other. While nobody asks for the next, the gateway keeps what follows. */
    async *heard() {
      for await (const { publisher, content } of messages) {
        const said = contentSections(content).find(({ contentType }) => contentType === TEXT);
        if (said) yield { name: nameOf(publisher), text: new TextDecoder().decode(said.value) };
      }
    },
    /** Who comes and who leaves; at first, those who are there. A broken connection is no leave, as long as it comes back. */
    async *people() {
      for await (const { clientId, joined } of presence) yield { name: nameOf(clientId), joined };
    },
    leave: () => client.close(),
  };
}

function utf8(text) {
  return new TextEncoder().encode(text);
}

/** All who are in rooms share one token, so the gateway calls them `person/NAME`. */
function nameOf(clientId = 'somebody') {
  return clientId.slice(clientId.indexOf('/') + 1);
}
