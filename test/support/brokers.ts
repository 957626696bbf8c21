/**
 * Real brokers for black-box tests: the same tests run on every shape of the broker that a client can meet. One broker serves all
 * tests of a file that share a shape and settings, so that each test must use topics and Client Identifiers of its own (`unique`).
 */

import { afterAll, afterEach, beforeAll, describe } from "vitest";
import { type Broker, startBroker } from "../../scripts/local/local-broker.ts";
import { type ConnectOptions, MqttTestClient, type OpenOptions, unique } from "./mqtt-client.ts";

/** `compact`: one object. `sharded`: through the relay at the edge. `handed over`: sharded, the socket given to its object by `?clientId=`. */
export type Shape = "compact" | "sharded" | "handed over";

export interface TestBroker {
  readonly shape: Shape;
  readonly url: string;
  readonly mqttUrl: string;
  /**
   * A socket on which nothing was sent yet. In the shape `handed over` its URL names the Client Identifier, so that a CONNECT with
   * another one than `clientId` is refused there; with an empty one it is relayed.
   */
  open(options?: OpenOptions & PlaceOptions): Promise<MqttTestClient>;
  /** A client whose CONNECT was accepted. Both kinds are cut off after the test. */
  connect(options?: ConnectOptions & OpenOptions & PlaceOptions): Promise<MqttTestClient>;
}

export interface PlaceOptions {
  /** A namespace of one's own, for tests that must see all messages there are; `default` by default. */
  readonly namespace?: string;
}

export interface TopologyOptions {
  /** `compact` and `sharded` by default. */
  readonly shapes?: readonly Shape[];
}

/** Wrong passwords of all tests come from one address. */
const FOR_ALL = { ALLOW_ANONYMOUS: "true", ADDRESS_LOGIN_FAILURE_RATE: "unlimited" };

/** Of this test file, by topology and settings. */
const brokers = new Map<string, Promise<Broker>>();

afterAll(async () => {
  await Promise.all([...brokers.values()].map(async (broker) => (await broker).dispose()));
  brokers.clear();
});

/**
 * Runs tests on several shapes of the broker.
 * @param body defines the tests; the broker answers only inside of them
 * @param env settings besides TOPOLOGY, or instead of ALLOW_ANONYMOUS=true and no bound on failed logins
 */
export function describeTopologies(
  body: (broker: TestBroker) => void,
  env: Readonly<Record<string, string>> = {},
  { shapes = ["compact", "sharded"] }: TopologyOptions = {},
): void {
  for (const shape of shapes) {
    describe(shape, () => {
      let broker: Broker;
      let clients: MqttTestClient[] = [];
      beforeAll(async () => {
        const TOPOLOGY = shape === "compact" ? "compact" : "sharded";
        broker = await brokerOf({ TOPOLOGY, ...FOR_ALL, ...env });
      });
      afterEach(() => {
        for (const client of clients) client.terminate();
        clients = [];
      });
      const open: TestBroker["open"] = async (options = {}) => {
        const path = options.namespace === undefined ? "/mqtt" : `/${options.namespace}/mqtt`;
        const clientId = options.clientId ?? unique("c");
        const query = shape === "handed over" ? `?clientId=${encodeURIComponent(clientId)}` : "";
        const client = await MqttTestClient.open(broker.mqttUrl.replace("/mqtt", path) + query, { ...options, clientId });
        clients.push(client);
        return client;
      };
      body({
        shape,
        get url() {
          return broker.url;
        },
        get mqttUrl() {
          return broker.mqttUrl;
        },
        open,
        async connect(options = {}) {
          const client = await open(options);
          const { reasonCode, properties } = await client.connect(options);
          if (reasonCode !== 0) throw new Error(`CONNECT was refused with ${reasonCode} ${properties.reasonString ?? ""}`);
          return client;
        },
      });
    });
  }
}

function brokerOf(env: Readonly<Record<string, string>>): Promise<Broker> {
  const key = JSON.stringify(env);
  let broker = brokers.get(key);
  if (broker === undefined) {
    broker = startBroker({ env, trustsAddresses: true });
    brokers.set(key, broker);
  }
  return broker;
}
