/** `npm run token`: what it signs another library takes, and what is wrong it says in a sentence. */

import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import jwt from "jsonwebtoken";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SECRET, tokenKeys } from "../support/tokens.ts";

function run(env: Record<string, string>, ...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, ["scripts/local/durable-mqtt.ts", "token", ...args], { env, encoding: "utf8" });
}

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "durable-mqtt-token-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function file(text: string): string {
  const path = join(folder, "key.pem");
  writeFileSync(path, text);
  return path;
}

describe("durable-mqtt token", () => {
  test("signs what is asked for by the secret, and prints nothing else", () => {
    const options = ["--user", "ada", "--client-id", "c1", "--publish", "a/#", "--publish", "b", "--subscribe", "#", "--expires", "2h"];
    const more = ["--superuser", "--attribute", "role=x=y", "--issuer", "me", "--audience", "mqtt", "--claim", "n=1", "--claim", "t=text"];
    const { status, stdout, stderr } = run({ JWT_SECRET: SECRET }, ...options, ...more);
    expect([status, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+\n$/);
    const claims = jwt.verify(stdout.trim(), SECRET, { algorithms: ["HS256"], issuer: "me", audience: "mqtt" }) as jwt.JwtPayload;
    expect(claims).toMatchObject({
      sub: "ada",
      clientid_override: "c1",
      is_superuser: true,
      client_attrs: { role: "x=y" },
      n: 1,
      t: "text",
      acl: [
        { permission: "allow", action: "publish", topics: ["a/#", "b"] },
        { permission: "allow", action: "subscribe", topics: ["#"] },
      ],
    });
    expect(claims.exp! - claims.iat!).toBe(7200);
  });

  test.each([
    ["RSA", "RS256"],
    ["P-384", "ES384"],
    ["P-521", "ES512"],
  ] as const)("signs by a private key on %s", (kind, algorithm) => {
    const { privateKey, publicKey } = tokenKeys(kind);
    const key = file(privateKey.export({ type: "pkcs8", format: "pem" }).toString());
    const { status, stdout } = run({}, "--key", key, "--kid", "k1", "--expires", "never", "--begins", "10s");
    expect(status).toBe(0);
    const { header, payload } = jwt.verify(stdout.trim(), publicKey, { algorithms: [algorithm], complete: true, ignoreNotBefore: true });
    expect(header).toEqual({ alg: algorithm, typ: "JWT", kid: "k1" });
    const { iat } = payload as jwt.JwtPayload;
    expect(payload).toEqual({ iat, nbf: iat! + 10 });
  });

  test("asks the broker's own bounds of the secret, and does not repeat it", () => {
    const { status, stderr } = run({ JWT_SECRET: "a short secret" });
    expect(status).toBe(1);
    expect(stderr).toMatch(/^durable-mqtt: JWT_SECRET must be [^\n]*\n$/);
    expect(stderr).not.toContain("a short secret");
  });

  test.each([
    ["nothing to sign with", 2, {}, []],
    ["no such file", 1, {}, ["--key", "nowhere.pem"]],
    ["a time that is none", 2, { JWT_SECRET: SECRET }, ["--expires", "1y"]],
    ["rules that are no JSON", 2, { JWT_SECRET: SECRET }, ["--acl", "home/#"]],
    ["rules twice", 2, { JWT_SECRET: SECRET }, ["--acl", "[]", "--publish", "a"]],
    ["a claim without a name", 2, { JWT_SECRET: SECRET }, ["--claim", "=1"]],
    ["an unknown option", 2, { JWT_SECRET: SECRET }, ["--nonsense"]],
    ["an algorithm that is not the key's", 1, { JWT_SECRET: SECRET }, ["--algorithm", "none"]],
  ])("says what is wrong in one sentence: %s", (_what, code, env, args) => {
    const { status, stdout, stderr } = run(env, ...args);
    expect([status, stdout]).toEqual([code, ""]);
    expect(stderr.trim()).toMatch(/^[^\n]+$/);
  });
});
