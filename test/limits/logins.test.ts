/** What is limited for each address, over real sockets: logins that fail, and connections. */

import { expect, it } from "vitest";
import { AUTH, CONNACK } from "../../src/mqtt/packet.ts";
import { CONNECTION_RATE_EXCEEDED } from "../../src/mqtt/reason-code.ts";
import { quickHash } from "../auth/support.ts";
import { auth, CONTINUE } from "../support/auth-packets.ts";
import { describeTopologies, type TestBroker } from "../support/brokers.ts";
import { connectPacket, unique } from "../support/mqtt-client.ts";
import { SCRAM_SHA_256, ScramClient } from "../support/scram-client.ts";

const SHAPES = { shapes: ["compact", "sharded", "handed over"] } as const;

const USERS = JSON.stringify([
  { user: "ada", password: await quickHash("of ada"), publish: ["#"], subscribe: ["#"] },
  { user: "bob", password: await quickHash("of bob"), publish: ["#"], subscribe: ["#"] },
]);

let host = 0;
/** An address that no other test has. */
function address(): Record<string, string> {
  host += 1;
  return { "CF-Connecting-IP": `198.51.100.${host}` };
}

async function login(
  broker: TestBroker,
  version: 4 | 5,
  headers: Record<string, string>,
  userName: string,
  password: string,
): Promise<number> {
  const client = await broker.open({ version, headers });
  const { reasonCode } = await client.connect({ version, userName, password });
  client.terminate();
  return reasonCode;
}

describeTopologies(
  (broker) => {
    it.each([
      [4, 4, 3],
      [5, 0x86, CONNECTION_RATE_EXCEEDED],
    ] as const)(
      "version %i: above the rate logins are refused, and those who were right before are let in",
      async (version, wrong, tooMany) => {
        const here = address();
        expect(await login(broker, version, here, "ada", "of ada")).toBe(0);
        const codes: number[] = [];
        for (let number = 0; number < 5; number += 1) codes.push(await login(broker, version, here, unique("nobody"), "x"));
        expect(codes).toEqual([wrong, wrong, wrong, tooMany, tooMany]);
        expect(await login(broker, version, here, "ada", "of ada")).toBe(0);
        expect(await login(broker, version, here, "ada", "guessed")).toBe(tooMany);
        expect(await login(broker, version, address(), "bob", "of bob")).toBe(0);
      },
    );

    it("5.0: guesses by SCRAM count as well, and above the rate nobody is asked for a proof", async () => {
      const headers = address();
      const guess = async (): Promise<number> => {
        const client = await broker.open({ version: 5, headers });
        const scram = new ScramClient("ada", "guessed");
        const properties = { authenticationMethod: SCRAM_SHA_256, authenticationData: scram.first() };
        client.send(connectPacket({ version: 5, clientId: client.clientId, properties }));
        const challenged = await client.next();
        if (challenged.type === CONNACK) return challenged.reasonCode;
        if (challenged.type !== AUTH) throw new Error("AUTH or CONNACK was expected");
        client.send(auth(CONTINUE, await scram.final(challenged.properties.authenticationData)));
        const { reasonCode } = await client.expect(CONNACK);
        client.terminate();
        return reasonCode;
      };
      expect([await guess(), await guess(), await guess(), await guess()]).toEqual([0x87, 0x87, 0x87, CONNECTION_RATE_EXCEEDED]);
    });
  },
  { ALLOW_ANONYMOUS: "false", USERS, ADDRESS_LOGIN_FAILURE_RATE: "3/1h" },
  SHAPES,
);

describeTopologies(
  (broker) => {
    it("an address that asks for connections above the rate is refused with 429, and others are not", async () => {
      const headers = address();
      for (let number = 0; number < 4; number += 1) (await broker.connect({ headers })).terminate();
      await expect(broker.open({ headers })).rejects.toThrow("429");
      await broker.connect({ headers: address() });
    });
  },
  { ADDRESS_CONNECT_RATE: "4/1h" },
  SHAPES,
);
