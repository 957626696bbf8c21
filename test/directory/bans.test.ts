/** Who is shut out by which ban. */

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Ban, type BanKind, Bans, banProblem, roomProblem, type Suspect } from "../../src/directory/bans.ts";
import { contains, parseAddress, parseNetwork } from "../../src/directory/network.ts";
import { BAN_PATTERNS_MAX, BANS_MAX } from "../../src/login-limits.ts";

const NEVER = Number.POSITIVE_INFINITY;

function ban(kind: BanKind, who: string, until = NEVER): Ban {
  return { kind, who, by: "ada", reason: "", at: 0, until };
}

function suspect(clientId: string, userName?: string, address = ""): Suspect {
  return { clientId, userNames: userName === undefined ? [] : [userName], address };
}

describe("bans", () => {
  const bans = new Bans({
    version: 1,
    bans: [
      ban("clientid", "c1"),
      ban("username", "bob", 1000),
      ban("peerhost", "2001:DB8::1"),
      ban("peerhost_net", "10.1.0.0/16"),
      ban("clientid_re", "^bot-"),
      ban("username_re", "^guest[0-9]*$"),
    ],
  });

  test.each([
    ["clientid", suspect("c1")],
    ["username", suspect("c2", "bob")],
    ["peerhost", suspect("c2", "eve", "2001:db8:0:0:0::1")],
    ["peerhost_net", suspect("c2", undefined, "10.1.255.7")],
    ["peerhost_net", suspect("c2", undefined, "::ffff:10.1.0.0")],
    ["clientid_re", suspect("bot-7")],
    ["username_re", suspect("c2", "guest42")],
    [undefined, suspect("bob", "c1", "10.2.0.1")],
    [undefined, suspect("xbot-7", "guest x", "2001:db8::2")],
    [undefined, suspect("c2")],
  ] as const)("by %s: %o", (kind, who) => {
    expect(bans.find(who, 999)?.kind).toBe(kind);
  });

  test("are over when their time is", () => {
    expect(bans.find(suspect("c2", "bob"), 1000)).toBeUndefined();
  });

  test("any of the user names counts", () => {
    expect(bans.find({ clientId: "c", userNames: ["x", "bob"], address: "" }, 0)?.who).toBe("bob");
  });

  test("by a pattern look at the beginning of a name that is longer than any user's: nobody may make it take long", () => {
    const ofEnd = new Bans({ version: 1, bans: [ban("username_re", "evil")] });
    const behind = (characters: number) => ofEnd.find(suspect("c", "x".repeat(characters) + "evil".padEnd(60_000, "x")), 0);
    expect([behind(0)?.who, behind(1020)?.who, behind(1021)?.who]).toEqual(["evil", "evil", undefined]);
  });

  test.each([
    ["clientid", "", false],
    ["clientid", "x".repeat(1025), false],
    ["peerhost", "1.2.3", false],
    ["peerhost", "1.2.3.4/8", false],
    ["peerhost", "1.2.3.4", true],
    ["peerhost_net", "1.2.3.4/33", false],
    ["peerhost_net", "::/0", true],
    ["clientid_re", "(a", false],
    ["username_re", "a+", true],
  ] as const)("%s %s is possible: %s", (kind, who, isPossible) => {
    expect(banProblem(ban(kind, who)) === undefined).toBe(isPossible);
  });

  test("have a bound, and those by patterns a lower one", () => {
    const many = Array.from({ length: BANS_MAX }, (_, index) => ban("clientid", `c${index}`));
    expect(roomProblem(many, "clientid")).toContain("1000 bans");
    const patterns = Array.from({ length: BAN_PATTERNS_MAX }, (_, index) => ban("clientid_re", `c${index}`));
    expect(roomProblem(patterns, "username_re")).toContain("regular expressions");
    expect(roomProblem(patterns, "username")).toBeUndefined();
  });
});

describe("addresses", () => {
  test.each(["1.2.3", "1.2.3.256", "01.2.3.4", "::1::", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "g::", "1.2.3.4:5", "", "1:2:3:4:5:6:7::8"])(
    "%s is none",
    (text) => {
      expect(parseAddress(text)).toBeUndefined();
    },
  );

  test("a network contains what has its first bits, and nothing else", () => {
    fc.assert(
      fc.property(fc.ipV4(), fc.ipV4(), fc.integer({ min: 0, max: 32 }), (one, other, bits) => {
        const number = (text: string): bigint => text.split(".").reduce((sum, part) => sum * 256n + BigInt(part), 0n);
        const expected = number(one) >> BigInt(32 - bits) === number(other) >> BigInt(32 - bits);
        expect(contains(parseNetwork(`${one}/${bits}`)!, parseAddress(other)!)).toBe(expected);
      }),
    );
    fc.assert(fc.property(fc.ipV6(), (address) => contains(parseNetwork(`${address}/128`)!, parseAddress(address)!)));
  });
});
