/** Who watches a client goes on watching when its object has slept. */

import { afterEach, expect, it } from "vitest";
import { TRACE_HEADER } from "../../src/objects/traces.ts";
import { connect, dropClients, durable, evict, names, places, sessionObject, sessionStub, ways } from "./support.ts";

const { topic } = names(places.at(-1)!);

afterEach(dropClients);

/** Packets that a watcher is told of, one by one. */
async function watch(clientId: string) {
  const headers = { Upgrade: "websocket", [TRACE_HEADER]: encodeURIComponent(clientId) };
  const { webSocket } = await sessionStub(sessionObject(clientId)).fetch("https://session/", { headers });
  const told: string[] = [];
  let wake = (): void => {};
  webSocket!.addEventListener("message", ({ data }) => {
    const { direction, packet } = JSON.parse(data as string) as Record<string, string>;
    told.push(`${direction} ${packet}`);
    wake();
  });
  webSocket!.accept();
  const next = async (): Promise<string> => {
    while (told.length === 0)
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    return told.shift()!;
  };
  return { next, end: () => webSocket!.close(1000) };
}

it.each(ways)("a watcher of a client, %s, is told of it when both have slept, and of its next connection", async (way) => {
  const clientId = `watched-${way.replace(" ", "-")}`;
  const client = await connect(clientId, { ...durable(5), way });
  const { next, end } = await watch(clientId);
  await evict("all objects");
  await client.subscribe(`${topic}/${clientId}`, 1);
  expect([await next(), await next()]).toEqual(["in SUBSCRIBE", "out SUBACK"]);
  await evict("all objects");
  await connect(clientId, { ...durable(5), way });
  // The connection before it is taken over.
  const seen: string[] = [];
  while (!seen.includes("out CONNACK")) seen.push(await next());
  expect(seen).toContain("in CONNECT");
  end();
});
