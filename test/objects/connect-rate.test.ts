/** ADDRESS_CONNECT_RATE where sockets are handed over: the object counts what it gets, from whichever isolate of the Worker that came. */

import { env } from "cloudflare:workers";
import { expect, test } from "vitest";
import { encodeHandover, HANDOVER_HEADER } from "../../src/handshake/handover.ts";
import { NOBODY } from "../../src/session/ports.ts";
import { sessionStub } from "./support.ts";

// Of this file alone: every test file has an isolate of its own, and objects read their settings when they are made.
Object.assign(env, { ADDRESS_CONNECT_RATE: "2/1h" });

const NAME = "default/session/0";

async function statusOf(address: string, relayed: boolean): Promise<number> {
  const caller = { namespace: "default", address, token: "" };
  const handover = encodeHandover(relayed ? { relayed, admission: { ...NOBODY, address } } : { relayed, caller });
  const headers = { Upgrade: "websocket", [HANDOVER_HEADER]: handover };
  const { status, webSocket } = await sessionStub(NAME).fetch("https://broker.example/mqtt", { headers });
  webSocket?.accept();
  webSocket?.close(1000, "");
  return status;
}

test("an address is refused above the rate, others and what is relayed are not", async () => {
  const here = "2001:db8::1";
  expect([await statusOf(here, false), await statusOf("2001:db8::2", false), await statusOf(here, false)]).toEqual([101, 101, 429]);
  expect(await statusOf("2001:db8:0:1::1", false)).toBe(101);
  expect(await statusOf(here, true)).toBe(101);
});
