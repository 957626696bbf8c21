/** What part of an object one user may take, over real sockets: others always find room. */

import { expect, it } from "vitest";
import { QUOTA_EXCEEDED } from "../../src/mqtt/reason-code.ts";
import { sessionObjectName } from "../../src/objects/names.ts";
import { quickHash } from "../auth/support.ts";
import { describeTopologies, type TestBroker } from "../support/brokers.ts";
import { unique } from "../support/mqtt-client.ts";

const OBJECTS = { topology: "sharded", sessionShards: 4, topicShards: 4 } as const;

const USERS = JSON.stringify(
  await Promise.all(["ada", "bob"].map(async (user) => ({ user, password: await quickHash(user), publish: ["#"], subscribe: ["#"] }))),
);

/** Client Identifiers of one object, whatever the shape. */
function clientIds(): () => string {
  const home = sessionObjectName(OBJECTS, "default", unique("home"));
  return () => {
    for (;;) {
      const clientId = unique("share");
      if (sessionObjectName(OBJECTS, "default", clientId) === home) return clientId;
    }
  };
}

async function login(
  broker: TestBroker,
  namespace: string,
  version: 4 | 5,
  clientId: string,
  userName: string | undefined,
): Promise<number> {
  const client = await broker.open({ version, clientId, namespace });
  const credentials = userName === undefined ? {} : { userName, password: userName };
  return (await client.connect({ version, clientId, ...credentials })).reasonCode;
}

describeTopologies(
  (broker) => {
    it.each([
      [4, 3],
      [5, QUOTA_EXCEEDED],
    ] as const)("version %i: the connections of one user end at its share, others have theirs", async (version, refused) => {
      const namespace = unique("shares");
      const next = clientIds();
      const codes = async (count: number, userName: string | undefined): Promise<number[]> => {
        const all: number[] = [];
        for (let number = 0; number < count; number += 1) all.push(await login(broker, namespace, version, next(), userName));
        return all;
      };
      expect(await codes(5, "ada")).toEqual([0, 0, 0, 0, refused]);
      expect(await codes(2, "bob")).toEqual([0, 0]);
      expect(await codes(1, undefined)).toEqual([0]);
      expect(await codes(1, "ada")).toEqual([refused]);
    });
  },
  { USERS, CONNECTIONS_MAX: "8", NAMESPACES: "*" },
  { shapes: ["compact", "sharded", "handed over"] },
);

describeTopologies(
  (broker) => {
    it("where all are one user, that one has everything", async () => {
      const namespace = unique("shares");
      const next = clientIds();
      for (let number = 0; number < 8; number += 1) expect(await login(broker, namespace, 5, next(), undefined)).toBe(0);
      expect(await login(broker, namespace, 5, next(), undefined)).toBe(QUOTA_EXCEEDED);
    });
  },
  { CONNECTIONS_MAX: "8", NAMESPACES: "*" },
);
