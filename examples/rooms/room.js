/** A room: everybody who is in it hears what anybody in it says. The same code runs in Node and in a page. */
import { connect, contentSections, encodeContent } from 'hashike/client';

const TEXT = 0x8000;

/** Connects and enters; rejects with a HashikeError. */
export async function enter({ url, token, name, room }) {
  const client = await connect({ url, token, clientName: name });
  const topic = `rooms/${room}`;
  const messages = await client.subscribe(topic);
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
