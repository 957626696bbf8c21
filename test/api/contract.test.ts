/** The API against its own document: what it refuses on every path, and that nothing that is sent to it is a fault of the broker. */

import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Broker, startBroker } from "../../scripts/local/local-broker.ts";
import { ADMIN_TOKEN, api } from "../support/admin-api.ts";
import { expectContract, openApi } from "../support/contract.ts";

const PUBLISHER = "a-token-to-publish";
const API_TOKENS = JSON.stringify([
  { name: "publisher", sha256: createHash("sha256").update(PUBLISHER).digest("hex"), scopes: ["publish"] },
]);

let broker: Broker;
const lines: string[] = [];
beforeAll(async () => {
  const env = { ALLOW_ANONYMOUS: "true", ADMIN_TOKEN, API_TOKENS, ADDRESS_LOGIN_FAILURE_RATE: "unlimited" };
  broker = await startBroker({ env, log: (line) => lines.push(line) });
});
afterAll(() => broker.dispose());

/** Every operation, with something in the place of its parameters. */
const OPERATIONS = Object.entries(openApi.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })),
);

const at = (path: string): string => path.replace("{as}", "clientid").replace(/\{\w+\}/g, "none");

test("the document is served beside the page", async () => {
  const response = await fetch(`${broker.url}/openapi.json`);
  expect([response.status, await response.json()]).toEqual([200, openApi]);
});

describe.each(OPERATIONS)("$method $path", ({ path, method, operation }) => {
  test("is there, and refuses who shows no token, and whose token is for something else", async () => {
    const [scope] = operation.security[0]!.bearer!;
    expect((await api(broker.url, method, at(path), undefined, "")).status).toBe(401);
    const other = await api(broker.url, method, at(path), undefined, PUBLISHER);
    if (scope === "publish") expect([200, 400]).toContain(other.status);
    else expect(other).toEqual({ status: 403, body: { code: "FORBIDDEN", message: `This needs a token with the scope ${scope}.` } });
    expect((await api(broker.url, "PATCH", at(path))).status).toBe(405);
  });

  test("refuses each of its parameters that is not what it must be, with its name", async () => {
    for (const { name, in: place, schema } of operation.parameters) {
      const isText = (schema as { type?: string } | undefined)?.type === "string" && !("enum" in schema!);
      if (place !== "query" || name === "namespace" || isText || (schema as { items?: { type?: string } }).items?.type === "string")
        continue;
      const others = operation.parameters.filter((each) => each.required && each.in === "query" && each.name !== name);
      const query = new URLSearchParams([...others.map((each) => [each.name!, "x"]), [name!, "\u0000{wrong}"]]);
      const { status, body } = await api(broker.url, method, `${at(path)}?${query}`, operation.requestBody && []);
      expect([status, body]).toEqual([
        400,
        { code: "BAD_REQUEST", message: expect.stringMatching(new RegExp(`^${name}(?:\\[0\\])? must be `)) },
      ]);
    }
  });

  if (operation.requestBody !== undefined)
    test("says 400, in a sentence that repeats nothing of it, to bodies that are none; and never 500", async () => {
      const before = lines.length;
      for (const [what, body] of hostile(sizeFor(path))) {
        const { status, text } = await send(method, at(path), body);
        expect([what, status]).toEqual([what, expect.toSatisfy((each: number) => each < 500)]);
        expect(text).not.toMatch(/planted|undefined|\[object|Invalid/);
        expect(text.length).toBeLessThan(500);
      }
      expect(lines.slice(before).join("\n")).not.toContain("request failed");
    });
});

/** One of each kind of body is sent all that is large, a mebibyte of it; the others the same in small, so that it takes no time. */
const LARGE = ["/publish", "/publish/bulk", "/authentication/password_based:built_in_database/users/import"];
const sizeFor = (path: string): number => (LARGE.includes(path) ? 1024 * 1024 : 4096);

const deep = (open: string, close: string, count: number): string => `${open.repeat(count)}${close.repeat(count)}`;
const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

/** What nobody means well with. @param size of what may be large, bytes */
const hostile = (size: number): readonly (readonly [what: string, body: string | Uint8Array])[] => [
  ["nothing", ""],
  ["open brackets", "[".repeat(size)],
  ["lists in lists", deep("[", "]", size / 2)],
  ["objects in objects", deep('{"topic":', "}", size / 10).replace(":}", ":1}")],
  ["lists in lists where rules are", `{"user_id":"u","password":"x","acl":[${deep("[", "]", size / 2)}]}`],
  ["lists in lists as a payload", `{"topic":"t","payload":${deep("[", "]", size / 2)}}`],
  ["lists in lists as user properties", `{"topic":"t","payload":"","properties":{"user_properties":${deep("[", "]", size / 2)}}}`],
  ["numbers", `[${"1,".repeat(size / 2)}1]`],
  ["fields", `{${Array.from({ length: size / 16 }, (_, index) => `"planted${index}":1`).join(",")}}`],
  ["user properties that are none", `{"topic":"t","payload":"","properties":{"user_properties":[${"1,".repeat(size / 2)}1]}}`],
  ["the fields of all objects", '{"__proto__":{"topic":"planted"},"constructor":{"prototype":1},"toString":"planted","payload":""}'],
  ["a prototype with what is missing", '{"__proto__":{"user_id":"planted","as":"clientid","who":"c","topic":"t","payload":"x"}}'],
  ["a prototype in a list", '[{"__proto__":{"topic":"t","payload":"x"}}]'],
  ["a field twice", '{"topic":"t","topic":["planted"],"payload":"x","as":"clientid","as":{}}'],
  ["numbers of no end", '{"topic":1e999,"payload":-1e999,"user_id":1e400,"as":NaN}'],
  [
    "every type in every field",
    JSON.stringify(Object.fromEntries(fieldNames().map((name, index) => [name, [1, true, [], {}, "planted", 1.5][index % 6]]))),
  ],
  ["null in every field", JSON.stringify(Object.fromEntries(fieldNames().map((name) => [name, null])))],
  ["bytes that are no UTF-8", Uint8Array.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x7d])],
  ["UTF-16", new Uint8Array(new Uint16Array([0xfeff, ...[...'{"topic":"t"}'].map((each) => each.charCodeAt(0))]).buffer)],
  ["a mark of UTF-8 alone", Uint8Array.from([0xef, 0xbb, 0xbf])],
  ["zeroes", new Uint8Array(1000)],
  ["half a surrogate", '{"topic":"\\ud800","payload":"\\udfff","user_id":"\\ud800","as":"clientid","who":"\\ud800"}'],
  ["U+0000", '{"topic":"a\\u0000b","payload":"x","user_id":"a\\u0000b","client_id":"\\u0000"}'],
  ["a text", '"planted"'],
  ["null", "null"],
  ["lines of which one is none", '{"user_id":"u"}\n{"planted"\n'],
  ["what gzip makes", Uint8Array.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3])],
];

/** Of all bodies there are. */
function fieldNames(): string[] {
  const names = new Set<string>();
  const visit = (value: unknown): void => {
    if (typeof value !== "object" || value === null) return;
    for (const [name, each] of Object.entries(value)) {
      if (name === "properties") for (const field of Object.keys(each as object)) names.add(field);
      visit(each);
    }
  };
  for (const { operation } of OPERATIONS) visit(operation.requestBody);
  return [...names];
}

async function send(method: string, path: string, body: string | Uint8Array): Promise<{ readonly status: number; readonly text: string }> {
  const bytes = typeof body === "string" ? encode(body) : body;
  const response = await fetch(`${broker.url}/api/v5${path}`, {
    method,
    headers: { Authorization: `Bearer ${ADMIN_TOKEN}`, "Content-Type": "application/json" },
    body: bytes as Uint8Array<ArrayBuffer>,
  });
  const text = await response.text();
  expectContract(method, path, response.status, text === "" ? undefined : JSON.parse(text));
  return { status: response.status, text };
}
