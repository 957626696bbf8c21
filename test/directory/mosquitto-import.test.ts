/** What is carried over from mosquitto's files, and what is told of the rest. The files were written by mosquitto's own program. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { ROOT } from "../../scripts/build/bundle.ts";
import { importMosquitto } from "../../scripts/local/mosquitto-import.ts";
import { isMosquittoHash } from "../../src/auth/mosquitto-hash.ts";
import { dummyHash, verifyPassword } from "../../src/auth/password.ts";
import { utf8 } from "../auth/support.ts";

const file = (name: string): string => readFileSync(join(ROOT, "test/fixtures/mosquitto", name), "utf8");
const FILES = { passwords: file("passwd"), acl: file("acl") };

const PASSWORDS: Readonly<Record<string, string>> = { ada: "lovelace", bob: "builder", "carol smith": "c a r o l", dora: "explorer" };

const PATTERNS = [
  { permission: "deny", action: "publish", topics: ["devices/+/secret"] },
  { permission: "deny", action: "receive", topics: ["devices/+/secret"] },
  { permission: "allow", action: "publish", topics: ["devices/%u/state", "clients/%c"] },
  { permission: "allow", action: "receive", topics: ["devices/%u/#", "clients/%c"] },
  { permission: "deny", action: "receive", topics: ["#", "$SYS/#"] },
  { permission: "allow", action: "subscribe", topics: ["#", "$SYS/#"] },
];

describe("files of mosquitto", () => {
  test("users keep their passwords", async () => {
    const { users } = importMosquitto(FILES);
    expect(users.map(({ user }) => user)).toEqual(Object.keys(PASSWORDS));
    for (const { user, password_hash: hash } of users) {
      expect(await verifyPassword(utf8(PASSWORDS[user]!), hash), user).toBe(true);
      expect(await verifyPassword(utf8("wrong"), hash), user).toBe(false);
      const dummy = dummyHash(hash);
      expect(isMosquittoHash(dummy)).toBe(true);
      expect(await verifyPassword(utf8(PASSWORDS[user]!), dummy), user).toBe(false);
    }
  });

  test("rights come in the order in which mosquitto looks", () => {
    const rights = Object.fromEntries(importMosquitto(FILES).users.map(({ user, acl }) => [user, acl]));
    expect(rights.ada).toEqual([
      { permission: "deny", action: "publish", topics: ["home/cellar/#"] },
      { permission: "deny", action: "receive", topics: ["home/cellar/#"] },
      { permission: "allow", action: "publish", topics: ["home/#", "log/ada"] },
      { permission: "allow", action: "receive", topics: ["home/#", "$SYS/#"] },
      ...PATTERNS,
    ]);
    expect(rights["carol smith"]).toEqual([{ permission: "allow", action: "receive", topics: ["home/#"] }, ...PATTERNS]);
    expect(rights.dora).toEqual(PATTERNS);
  });

  test("without an ACL file everybody may do everything, as there", () => {
    expect(importMosquitto({ ...FILES, acl: undefined }).users[0]!.acl).toEqual([
      { permission: "allow", action: "publish", topics: ["#"] },
      { permission: "allow", action: "subscribe", topics: ["#"] },
    ]);
  });

  test("what can't be carried over is told, and no hash is", () => {
    const { problems } = importMosquitto(FILES);
    expect(problems).toEqual([
      "Line 25 of the ACL file has %c or %u beside other characters: here they fill a whole level.",
      "1 lines before the first user are rights of clients without a user name: put them into the setting ACL.",
      "1 users of the ACL file have no password in the password file and are left out.",
      "1 users have a $6$ hash, a single SHA-512: they are let in, but give them new passwords soon.",
      "Imported users log in with their password; SCRAM-SHA-256 needs a new one (npm run user -- password).",
    ]);
  });

  test.each([
    ["eve:plain", "Line 1 of the password file: the password is not hashed; run mosquitto_passwd -U first."],
    [
      "eve:$argon2id$v=19$m=47104,t=1,p=1$c2FsdA$aGFzaA",
      "Line 1 of the password file: an argon2 hash can't be checked on Workers; the user needs a new password.",
    ],
    ["eve:$7$101$!$x", "Line 1 of the password file: its hash is none that is known here."],
    ["eve:$7$999999$S/vKKg7dswLMoFa2$x", "Line 1 of the password file: its hash is none that is known here."],
    ["no colon", "Line 1 of the password file has no user and no hash."],
  ])("a password file with %s", (passwords, problem) => {
    expect(importMosquitto({ passwords, acl: "" })).toEqual({ users: [], problems: [problem] });
  });

  test.each([
    ["topic read a/#/b", "has + or # beside other characters, or # before the end."],
    ["topic read a+", "has + or # beside other characters, or # before the end."],
    ["topic read a/%u", "has %c or %u in a topic line, where mosquitto takes them literally: that can't be said here."],
    ["pattern read ${x}", "has ${, which would be a placeholder here."],
    ["topic out of words", "has a word before its topic that is no access: read, write, readwrite and deny are."],
    ["topics a", "begins with a word that is not known: user, topic and pattern are."],
  ])("an ACL file with %s", (acl, problem) => {
    expect(importMosquitto({ passwords: "", acl: `# x\n\n${acl}` }).problems).toEqual([`Line 3 of the ACL file ${problem}`]);
  });
});
