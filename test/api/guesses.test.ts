/** Guesses at tokens of operators are bounded for each address; a token of one namespace opens no other. */

import { afterAll, beforeAll, expect, test } from "vitest";
import { type Broker, startBroker } from "../../scripts/local/local-broker.ts";
import { looked } from "../../src/api/bearer.ts";
import { parseRate } from "../../src/rate.ts";
import type { Settings } from "../../src/settings.ts";
import { ADMIN_TOKEN } from "../support/admin-api.ts";

const METRICS_TOKEN = "a-metrics-token-of-tests";
const ACME_TOKEN = "a-token-of-acme-alone";
const OTHER_ACME_TOKEN = "another-token-of-acme";

let broker: Broker;
const lines: string[] = [];
beforeAll(async () => {
  const env = {
    ADMIN_TOKEN,
    METRICS_TOKEN,
    NAMESPACE_ADMIN_TOKENS: `acme:${ACME_TOKEN},acme:${OTHER_ACME_TOKEN}`,
    NAMESPACES: "default,acme,other",
    ADDRESS_LOGIN_FAILURE_RATE: "3/1h",
  };
  broker = await startBroker({ env, trustsAddresses: true, log: (line) => lines.push(line) });
});
afterAll(() => broker.dispose());

async function status(path: string, token: string | undefined, address: string): Promise<number> {
  const headers = { "CF-Connecting-IP": address, ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }) };
  const response = await fetch(`${broker.url}${path}`, { headers });
  expect(await response.text()).not.toContain(token ?? "Bearer guess");
  return response.status;
}

test.each([
  ["/api/v5/banned", ADMIN_TOKEN, "192.0.2"],
  ["/metrics", METRICS_TOKEN, "198.51.100"],
])("%s: above the rate no token of an address is looked at, and others go on", async (path, token, network) => {
  const [guesser, other] = [`${network}.1`, `${network}.2`];
  // Who shows none guesses nothing.
  for (let number = 0; number < 5; number += 1) expect(await status(path, undefined, guesser)).toBe(401);
  for (let number = 0; number < 3; number += 1) expect(await status(path, `guess-${number}-at-it-${network}`, guesser)).toBe(401);
  expect(await status(path, token, guesser)).toBe(429);
  expect(await status(path, `guess-4-at-it-${network}`, guesser)).toBe(429);
  expect(await status(path, token, other)).toBe(200);
  // One that is right takes nothing of the rate.
  for (let number = 0; number < 5; number += 1) expect(await status(path, token, other)).toBe(200);
  expect(lines.some((line) => line.includes("tokens are refused: too many were wrong"))).toBe(true);
  expect(lines.join("\n")).not.toContain("guess-");
});

test("of what comes at once, and takes its time to be looked at, no more is answered than of as much one after the other", async () => {
  const settings = { rates: { addressLoginFailures: parseRate("3/1h")! } } as Settings;
  const request = new Request("https://broker.test/", { headers: { "CF-Connecting-IP": "203.0.113.10" } });
  const shown = Array.from({ length: 21 }, (_, index) =>
    looked(request, settings, "/", async () => {
      await new Promise<void>((resolve) => setImmediate(resolve));
      return index === 20 ? { right: true } : undefined;
    }),
  );
  const found = (await Promise.all(shown)).map((each) => ("kind" in each ? each.kind : "right"));
  expect(found.filter((each) => each === "wrong")).toHaveLength(3);
  expect(new Set(found)).toEqual(new Set(["wrong", "too many were wrong"]));
});

test("both are counted for themselves", async () => {
  for (let number = 0; number < 4; number += 1) await status("/metrics", "a-guess-of-metrics", "203.0.113.9");
  expect([await status("/metrics", METRICS_TOKEN, "203.0.113.9"), await status("/api/v5/banned", ADMIN_TOKEN, "203.0.113.9")]).toEqual([
    429, 200,
  ]);
});

test("a token of a namespace opens that one, and the token of all opens all", async () => {
  const statuses = async (token: string, address: string): Promise<number[]> => {
    const all: number[] = [];
    for (const query of ["?namespace=acme", "", "?namespace=other"]) all.push(await status(`/api/v5/banned${query}`, token, address));
    return all;
  };
  expect(await statuses(ACME_TOKEN, "203.0.113.1")).toEqual([200, 401, 401]);
  expect(await statuses(OTHER_ACME_TOKEN, "203.0.113.2")).toEqual([200, 401, 401]);
  expect(await statuses(ADMIN_TOKEN, "203.0.113.3")).toEqual([200, 200, 200]);
});
