/**
 * A chat room that is open to everybody: MQTT in the browser, and nothing else on the server than who may do what. Its page is in `public` and
 * `src/page.ts`.
 *
 * | topic | message |
 * |---|---|
 * | `chat/said` | what somebody says; the hook writes who and when into it |
 * | `chat/here/SOMEBODY` | retained: the name of somebody who is here; the will of that client takes it away |
 */

import { type BrokerBindings, defineBroker } from "durable-mqtt";
import { HERE, placeOf } from "./presence.ts";

const SAID = "chat/said";
const CHARACTERS_MAX = 500;

/** A name of a few letters, whatever somebody calls himself. */
const nameOf = (userName = ""): string => userName.replace(/\p{C}/gu, "").trim().slice(0, 30) || "somebody";

const broker = defineBroker({
  // Whoever knows the address may come in. One room of some thousand people fits one object.
  settings: { TOPOLOGY: "compact", ALLOW_ANONYMOUS: true, CLIENT_MESSAGE_RATE: "30/1m+10/1s" },

  // Everybody has a name, which nobody checks: so there is no password.
  authenticate: async ({ userName, clientId }) => ({
    result: "allow",
    client_attrs: { name: nameOf(userName), place: await placeOf(clientId) },
  }),

  authorize({ action, topic, client }) {
    return topic === SAID || (action === "publish" ? topic === client.attributes.place : topic.startsWith(HERE));
  },

  onPublish({ topic, payload, retain }, { attributes }) {
    if (topic !== SAID) return payload.length === 0 ? undefined : { payload: attributes.name ?? "" };
    if (retain || payload.length > 4 * CHARACTERS_MAX)
      return { refuse: 0x97, reason: `at most ${CHARACTERS_MAX} characters, and not to be kept` };
    const [from, at] = [attributes.name ?? "", new Date().toISOString()];
    return {
      properties: {
        payloadFormatIndicator: 1,
        userProperties: [
          ["from", from],
          ["at", at],
        ],
      },
    };
  },
});

export const { SessionObject, TopicObject } = broker;

export default {
  fetch: async (request, env, context) => (await broker.fetch(request, env, context)) ?? new Response("Not found", { status: 404 }),
} satisfies ExportedHandler<BrokerBindings>;
