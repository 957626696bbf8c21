/** Getting a set of keys from a real HTTP server: right ones, and servers that are away, slow, large, or lie. */

import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";
import { fetchKeySet, keysOf } from "../../src/auth/jwk-set.ts";
import { JWKS_BYTES_MAX, JWKS_KEYS_MAX, JWKS_TIMEOUT_MS } from "../../src/login-limits.ts";
import { PLATFORM, type Runtime } from "../../src/runtime.ts";
import { jwkOf, tokenKeys } from "../support/tokens.ts";

const KEY = jwkOf(tokenKeys("P-256"), "a");
const SET = JSON.stringify({ keys: [KEY] });

/** Time runs a hundred times as fast. */
const HASTY: Runtime = { ...PLATFORM, after: (ms, run) => PLATFORM.after(ms / 100, run) };

let server: Server | undefined;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

async function serve(listener: RequestListener): Promise<string> {
  server = createServer(listener);
  await new Promise<void>((resolve) => server!.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/keys`;
}

const get = (url: string, runtime: Runtime = PLATFORM) => fetchKeySet(url, (to, init) => fetch(to, init), runtime);

test("a set, with what is of no use here left out", async () => {
  const url = await serve((_request, response) => response.end(JSON.stringify({ keys: [{ kty: "oct" }, KEY, 7, null], more: 1 })));
  expect(await get(url)).toEqual([{ kid: "a", algorithms: ["ES256"], jwk: { kty: "EC", crv: "P-256", x: KEY.x, y: KEY.y } }]);
});

test("a set without keys is an answer: they were all withdrawn", () => {
  expect(keysOf(Buffer.from('{"keys":[]}'))).toEqual([]);
});

test("a server that is away", async () => {
  const url = await serve(() => {});
  server!.close();
  expect(await get(url)).toBe("it could not be reached");
});

const LATE = `it was not there within ${JWKS_TIMEOUT_MS / 1000} s`;

test.each<[string, RequestListener, string]>([
  ["says nothing", () => {}, LATE],
  ["says half", (_request, response) => response.write(SET.slice(0, 20)), LATE],
  [
    "never comes to an end",
    (_request, response) => {
      const drip = setInterval(() => response.write(" "), 1);
      response.on("close", () => clearInterval(drip));
    },
    LATE,
  ],
  ["breaks off", (_request, response) => response.write(SET.slice(0, 20), () => response.destroy()), "it could not be reached"],
  ["fails", (_request, response) => response.writeHead(500).end(SET), "it was answered with status 500"],
  ["is not there", (_request, response) => response.writeHead(404).end(SET), "it was answered with status 404"],
  ["sends elsewhere", (_request, response) => response.writeHead(302, { Location: "/other" }).end(), "it was answered with status 302"],
  ["says too much", (_request, response) => response.end(SET + " ".repeat(JWKS_BYTES_MAX)), `it has more than ${JWKS_BYTES_MAX} bytes`],
  ["answers with a page", (_request, response) => response.end("<html>"), "it is not JSON"],
  ["answers with nothing", (_request, response) => response.end(), "it is not JSON"],
  ["answers with a list", (_request, response) => response.end(`[${SET}]`), "it is no JWK Set: it has no list of keys"],
  ["answers with something else", (_request, response) => response.end('{"keys":{}}'), "it is no JWK Set: it has no list of keys"],
  [
    "has too many keys",
    (_request, response) => response.end(JSON.stringify({ keys: Array.from({ length: JWKS_KEYS_MAX + 1 }, () => KEY) })),
    `it has more than ${JWKS_KEYS_MAX} keys`,
  ],
])("a server that %s", async (_what, listener, sentence) => {
  expect(await get(await serve(listener), sentence === LATE ? HASTY : PLATFORM)).toBe(sentence);
});
