/**
 * After the broker has closed a WebSocket and its client has answered, TCP ends: clients wait for that before they come back. By hand, as
 * libraries hide it. That a client which does not answer keeps TCP open is the runtime's (docs/guarantees.md).
 */

import { connect } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { frame, masked } from "../../bench/load/frames.ts";
import { type Broker, startBroker } from "../../scripts/local/local-broker.ts";

/** The first byte of a Close frame that is whole, and of an answer of a client: it is masked. */
const CLOSE = 0x88;
const CLOSE_ANSWER = Uint8Array.of(CLOSE, 0x82, 0, 0, 0, 0, 0x03, 0xe8);

let compact: Broker;
let sharded: Broker;

beforeAll(async () => {
  const options = { ALLOW_ANONYMOUS: "true", SESSION_SHARDS: "2", TOPIC_SHARDS: "1" };
  compact = await startBroker({ env: { ...options, TOPOLOGY: "compact" } });
  sharded = await startBroker({ env: { ...options, TOPOLOGY: "sharded" } });
});

afterAll(async () => {
  await compact?.dispose();
  await sharded?.dispose();
});

/** Sends what is no CONNECT, answers Close and keeps its side open. @returns once the other side has ended */
function closedByBroker(port: number, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    let upgraded = false;
    socket.on("error", reject);
    socket.on("data", (data) => {
      if (!upgraded) {
        upgraded = true;
        socket.write(frame([masked(Uint8Array.of(0x80, 0))]));
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

test("compact: TCP ends after Close was answered", () => closedByBroker(compact.port, "/mqtt"), 15_000);

test("relayed: TCP ends after Close was answered", () => closedByBroker(sharded.port, "/mqtt"), 15_000);

test("handed over: TCP ends after Close was answered, whichever objects have closed", async () => {
  const paths = Array.from({ length: 8 }, (_, index) => `/mqtt?clientId=closing-${index}`);
  await expect(Promise.all(paths.map((path) => closedByBroker(sharded.port, path)))).resolves.toHaveLength(8);
}, 15_000);
