/**
 * Keys of an identity provider that change while clients come, against a real HTTP server: many logins at once, so that each step meets some
 * that wait for another one's request. Minutes pass when the test says so.
 */

import { afterEach, expect, test } from "vitest";
import { JwtAuthenticator, Tokens } from "../../src/auth/jwt.ts";
import { NO_TOKENS } from "../../src/auth/jwt-settings.ts";
import { JWKS_COOL_DOWN_MS, JWKS_FRESH_MS, JWKS_TIMEOUT_MS } from "../../src/login-limits.ts";
import { PLATFORM, type Runtime } from "../../src/runtime.ts";
import { type IdentityProvider, startProvider } from "../support/identity-provider.ts";
import { jwkOf, signed, type TokenKeys, tokenKeys } from "../support/tokens.ts";
import { CALLER, connect } from "./support.ts";

let now = 1_800_000_000_000;
/** Nothing takes too long: a machine that is busy must not decide. */
const PATIENT: Runtime = {
  now: () => now,
  after: (ms, run) => (ms >= JWKS_TIMEOUT_MS ? { cancel: () => {} } : PLATFORM.after(1, run)),
  incarnation: () => "",
};

/** Between two logins of a client. */
const STEP_MS = 2000;

let provider: IdentityProvider | undefined;
afterEach(() => provider?.close());

function authenticator(url: string): JwtAuthenticator {
  const services = { fetch: (to: string, init: RequestInit) => fetch(to, init), runtime: PATIENT, failed: () => {} };
  return new JwtAuthenticator(new Tokens({ ...NO_TOKENS, jwksUrls: [{ url }] }, services), ["password"]);
}

test("clients come all the while, none with a published key is refused, and the provider is asked seldom", async () => {
  const keys = Array.from({ length: 4 }, (_, index) => ({ kid: `k${index}`, pair: tokenKeys("P-256") }));
  const tokens = keys.map(({ kid, pair }) => signed({ sub: "ada" }, pair.privateKey, { algorithm: "ES256", keyid: kid }));
  provider = await startProvider([jwkOf(keys[0]!.pair, "k0")]);
  const jwt = authenticator(provider.url);
  const login = async (token: string): Promise<boolean> => "grants" in ((await jwt.authenticate(connect("x", token), CALLER)) ?? {});
  let logins = 0;
  const stranger = signed({ sub: "eve" }, tokenKeys("P-256").privateKey, { algorithm: "ES256", keyid: "made up" });
  for (const [index, token] of tokens.entries()) {
    // As providers do: the next key stands beside the one that is used, long enough before, and the former goes.
    const published = [keys[index - 1], keys[index], keys[index + 1]].filter((key) => key !== undefined);
    provider.keys = published.map(({ kid, pair }) => jwkOf(pair, kid));
    const until = now + JWKS_FRESH_MS + JWKS_COOL_DOWN_MS;
    for (; now < until; now += STEP_MS) {
      const answers = await Promise.all(Array.from({ length: 10 }, (_, at) => login(at === 7 ? stranger : token)));
      logins += answers.length;
      expect(answers.filter((isIn, at) => isIn !== (at !== 7))).toEqual([]);
    }
  }
  const minutes = (JWKS_FRESH_MS + JWKS_COOL_DOWN_MS) / 60_000;
  expect(logins).toBeGreaterThan(1000);
  // The stranger's key is sought after each cool-down, and no more often.
  expect(provider.asked).toBeLessThanOrEqual(tokens.length * (minutes * (60_000 / JWKS_COOL_DOWN_MS) + 2));
  expect(await login(tokens[0]!)).toBe(false);
});

test("keys that are exchanged at once: the old are out with the next request, the new are in", async () => {
  const [first, second] = [tokenKeys("RSA"), tokenKeys("RSA")] as [TokenKeys, TokenKeys];
  const token = (keys: TokenKeys, keyid: string): string => signed({ sub: "ada" }, keys.privateKey, { algorithm: "RS256", keyid });
  provider = await startProvider([jwkOf(first, "a")]);
  const jwt = authenticator(provider.url);
  const login = async (text: string): Promise<boolean> => "grants" in ((await jwt.authenticate(connect("x", text), CALLER)) ?? {});
  expect(await login(token(first, "a"))).toBe(true);
  now += JWKS_COOL_DOWN_MS;
  provider.keys = [jwkOf(second, "b")];
  const answers = await Promise.all(Array.from({ length: 50 }, () => login(token(second, "b"))));
  expect(answers).toEqual(answers.map(() => true));
  expect(await login(token(first, "a"))).toBe(false);
  expect(provider.asked).toBe(2);
});
