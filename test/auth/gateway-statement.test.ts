/** What a gateway says is believed as it said it, for a short time, and from nobody who does not have the secret. */

import { createHmac } from "node:crypto";
import { describe, expect, it } from "vitest";
import { readStatement, STATEMENT_MS_MAX, signStatement } from "../../src/auth/gateway-statement.ts";
import { utf8 } from "./support.ts";

const SECRET = utf8("a secret that gateway and broker have");
const OTHER = utf8("a secret that some other gateway has!");
const NOW = 1_790_000_000_000;

const STATEMENT = { address: "2001:db8::7", userName: "Gerät 7 \u{1f4a1}" };

async function read(text: string, { secret = SECRET, now = NOW } = {}) {
  return readStatement(secret, text, now);
}

describe("a statement", () => {
  it.each([STATEMENT, { address: "192.0.2.1", userName: undefined }, { address: "", userName: "x".repeat(1024) }])(
    "is read as it was said: %j",
    async (said) => {
      const text = await signStatement(SECRET, said, NOW);
      // It goes into a header.
      expect(text).toMatch(/^[\w.-]+$/);
      expect(await read(text)).toEqual(said);
    },
  );

  it.each([-STATEMENT_MS_MAX, STATEMENT_MS_MAX])("is good when the clocks differ by %d ms, and not by more", async (ms) => {
    const text = await signStatement(SECRET, STATEMENT, NOW);
    expect(await read(text, { now: NOW + ms })).toEqual(STATEMENT);
    expect(await read(text, { now: NOW + ms + Math.sign(ms) })).toMatch(
      /^it is of another time: the clock of the gateway is 120 s (ahead|behind)/,
    );
  });

  it("is nothing under another secret, or with any character changed", async () => {
    const text = await signStatement(SECRET, STATEMENT, NOW);
    expect(await read(text, { secret: OTHER })).toMatch(/not signed/);
    for (let at = 0; at < text.length; at += 1) {
      const changed = text.slice(0, at) + (text[at] === "A" ? "B" : "A") + text.slice(at + 1);
      expect(typeof (await read(changed)), `character ${at}`).toBe("string");
    }
  });

  it("is not what the same secret has signed for another purpose: a token, the body alone", async () => {
    const [body] = (await signStatement(SECRET, STATEMENT, NOW)).split(".");
    for (const signed of [body!, `header.${body}`]) {
      const signature = createHmac("sha256", SECRET).update(signed).digest("base64url");
      expect(await read(`${body}.${signature}`)).toMatch(/not signed/);
    }
  });

  it.each(["", ".", "a", "a.", ".a", "a.b.c", "a b.c", "=.=", "a.b", "x".repeat(100_000), `${"x".repeat(20_000)}.AAAA`])(
    "is refused without a word of it: %#",
    async (text) => {
      expect(await read(text)).toMatch(/^it is not (in the form of a statement|signed with the GATEWAY_SECRET of this broker)$/);
    },
  );
});
