/** Attacks by clients that come and go: wrong passwords, storms, one name for many, and wills that they leave behind. */

import { DISCONNECT, NO_PROPERTIES } from "../../../src/mqtt/packet.ts";
import type { Attack } from "../attack.ts";
import { connectBytes, encode, subscribeBytes } from "../client.ts";
import { INTRUDER } from "../options.ts";

function wrongPasswords(perSecond: number): Attack {
  return {
    key: `passwords-${perSecond}`,
    title: `${perSecond} connections a second that give wrong passwords`,
    run: (field) =>
      field.rate(perSecond, async (index) => {
        const clientId = `guess-${index}`;
        const client = await field.open(clientId);
        if (client === undefined) return;
        client.send(connectBytes({ clientId, userName: index % 2 === 0 ? INTRUDER.userName : `nobody-${index}`, password: "a wrong one" }));
        field.count += 1;
        await client.closed;
      }),
  };
}

const FAREWELL = encode({ type: DISCONNECT, reasonCode: 0, properties: NO_PROPERTIES });

const STORM: Attack = {
  key: "storm",
  title: "100 clients a second that connect, subscribe and disconnect",
  run: (field) =>
    field.rate(100, async (index) => {
      const client = await field.connect({ clientId: `storm-${index}` });
      if (client === undefined) return;
      await client.subscribe([`storm/${index}`]);
      client.send(FAREWELL);
      await client.closed;
      field.count += 1;
    }),
};

const TAKEOVERS: Attack = {
  key: "takeovers",
  title: "50 connections a second with one Client Identifier, each of which ends the one before",
  run: (field) => {
    const clientId = field.near("twin");
    return field.rate(50, async () => {
      const client = await field.connect({ clientId });
      if (client === undefined) return;
      client.send(subscribeBytes(["twin/#"]));
      field.count += 1;
      await client.closed;
    });
  },
};

/** Until the last will is published and its session is over. */
const WILL_SECONDS = 3;

const WILLS: Attack = {
  key: "wills",
  title: "20 clients a second that leave a will of 64 kB and a kept session behind, for three seconds",
  restSeconds: WILL_SECONDS + 2,
  run: (field) => {
    const payload = new Uint8Array(65_000);
    return field.rate(20, async (index) => {
      const client = await field.connect({
        clientId: `will-${index}`,
        will: { topic: "will", payload, qos: 1, properties: { willDelayInterval: WILL_SECONDS } },
        properties: { sessionExpiryInterval: WILL_SECONDS },
      });
      if (client === undefined) return;
      field.drop(client);
      field.count += 1;
    });
  },
};

export const CLIENT_ATTACKS = [wrongPasswords(20), wrongPasswords(100), STORM, TAKEOVERS, WILLS];
