/**
 * After the broker has closed a WebSocket and its client has answered, TCP ends: clients wait for that before they come back. By hand, as
 * libraries hide it. That a client which does not answer keeps TCP open is the runtime's (docs/guarantees.md).
 */

import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { frame, masked } from "../../bench/load/frames.ts";
import { type Broker, startBroker } from "../../scripts/local/local-broker.ts";

/** The first byte of a Close frame that is whole, and of an answer of a client: it is masked. */
const CLOSE = 0x88;
const CLOSE_ANSWER = Uint8Array.of(CLOSE, 0x82, 0, 0, 0, 0, 0x03, 0xe8);

let compact: Broker;
let sharded: Broker;

beforeAll(async () => {
  const options = { ALLOW_ANONYMOUS: "true", PACKET_SECONDS_MAX: "1", SESSION_SHARDS: "2", TOPIC_SHARDS: "1" };
  compact = await startBroker({ env: { ...options, TOPOLOGY: "compact" } });
  sharded = await startBroker({ env: { ...options, TOPOLOGY: "sharded" } });
});

afterAll(async () => {
  await compact?.dispose();
  await sharded?.dispose();
});

/** Sends this, if anything, answers Close and keeps its side open. Resolves once the other side has ended. */
function closedByBroker(port: number, path: string, first: Uint8Array | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    let upgraded = false;
    socket.on("error", reject);
    socket.on("data", (data) => {
      if (!upgraded) {
        upgraded = true;
        if (first !== undefined) socket.write(frame([masked(first)]));
      } else if (data[0] === CLOSE) socket.write(CLOSE_ANSWER);
    });
    socket.on("end", () => {
      socket.end();
      resolve();
    });
    socket.write(
      `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n",
    );
  });
}

/** What no CONNECT is, and nothing, which is closed after PACKET_SECONDS_MAX. */
describe.each([
  ["said something", Uint8Array.of(0x80, 0)],
  ["said nothing", undefined],
])("TCP ends after a client that %s has answered Close", (_, first) => {
  const close = (broker: Broker, path: string): Promise<void> => closedByBroker(broker.port, path, first);

  test("compact", () => close(compact, "/mqtt"), 15_000);

  test("relayed", () => close(sharded, "/mqtt"), 15_000);

  test("handed over, whichever objects have closed", async () => {
    const paths = Array.from({ length: 8 }, (_, index) => `/mqtt?clientId=closing-${index}`);
    await expect(Promise.all(paths.map((path) => close(sharded, path)))).resolves.toHaveLength(8);
  }, 15_000);
});
