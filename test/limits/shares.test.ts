/** What part of an object one user may take, over real sockets: others always find room. */

import { expect, it } from "vitest";
import { NO_MATCHING_SUBSCRIBERS as KEPT, QUOTA_EXCEEDED } from "../../src/mqtt/reason-code.ts";
import { sessionObjectName } from "../../src/objects/names.ts";
import { quickHash } from "../auth/support.ts";
import { describeTopologies, type TestBroker } from "../support/brokers.ts";
import { unique } from "../support/mqtt-client.ts";

const OBJECTS = { topology: "sharded", sessionShards: 4 } as const;

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
    it("the retained messages of one user end at its share, whatever brings them, and others keep theirs", async () => {
      const namespace = unique("retained");
      const publisher = (userName: string, will?: string) =>
        broker.connect({
          version: 5,
          namespace,
          userName,
          password: userName,
          ...(will === undefined ? {} : { will: { topic: will, payload: "gone", qos: 1, retain: true } }),
        });
      const [ada, bob, again] = [await publisher("ada"), await publisher("bob"), await publisher("ada", "ada/will")];
      const codes = async (client: typeof ada, topics: readonly string[]): Promise<(number | undefined)[]> => {
        const all: (number | undefined)[] = [];
        for (const topic of topics) all.push((await client.publish(topic, "kept", { qos: 1, retain: true }))?.reasonCode);
        return all;
      };
      await ada.publish("ada/0", "kept", { retain: true });
      expect(await codes(ada, ["ada/1", "ada/2"])).toEqual([KEPT, KEPT]);
      again.terminate();
      const reader = await broker.connect({ version: 5, namespace, userName: "bob", password: "bob" });
      await reader.subscribe("ada/#");
      const seen = new Set<string>();
      while (seen.size < 4) seen.add((await reader.message()).topic);
      expect(await codes(ada, ["ada/3", "ada/2"])).toEqual([QUOTA_EXCEEDED, 0]);
      expect(await codes(bob, ["bob/0", "bob/1", "bob/2", "bob/3", "bob/4"])).toEqual([KEPT, KEPT, KEPT, KEPT, QUOTA_EXCEEDED]);
    });
  },
  { USERS, RETAINED_MESSAGES_MAX: "8", TOPIC_SHARDS: "1", NAMESPACES: "*" },
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
