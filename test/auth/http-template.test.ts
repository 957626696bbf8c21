/** Requests as operators write them: what a client says stands where it was put, and nowhere else. */

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  FORM,
  type HttpRequest,
  isBody,
  isHookUrl,
  parseHeaders,
  parseTemplate,
  type RequestShape,
  RequestTemplate,
} from "../../src/auth/http-template.ts";

const SHAPE: RequestShape = { method: "POST", url: "https://auth.test/", headers: {}, body: {} };

function make(shape: Partial<RequestShape>, values: Readonly<Record<string, string>>): HttpRequest | undefined {
  return new RequestTemplate({ ...SHAPE, ...shape }).make((name) => values[name] ?? "");
}

/** Texts that a client might send to break out of something. */
const HOSTILE = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.constantFrom(
    '"',
    '","admin":true,"x":"',
    "\\",
    "\\u0022",
    "\0",
    "\r\nx: y",
    "&admin=1",
    "#",
    "?",
    "/",
    "..",
    ".",
    "../..",
    "%2e%2e",
    "%",
    "+",
    " ",
    "${password}",
    "a;b",
    "a,b",
    "é",
    "\u2028",
    "__proto__",
  ),
);

describe("values never break out", () => {
  test("of JSON: what is read there is what the client said", () => {
    fc.assert(
      fc.property(HOSTILE, HOSTILE, (username, password) => {
        const body = { user: "${username}", "a b": ["${password}", 1, null, true], both: "<${username}> ${password}.", deep: { x: "x" } };
        const made = make({ body }, { username, password })!;
        expect(JSON.parse(made.body!)).toEqual({
          user: username,
          "a b": [password, 1, null, true],
          both: `<${username}> ${password}.`,
          deep: { x: "x" },
        });
        expect(made.headers).toEqual({ "content-type": "application/json" });
      }),
    );
  });

  test("of a form and of a query", () => {
    fc.assert(
      fc.property(HOSTILE, HOSTILE, (username, password) => {
        const body = { "u&": "${username}", p: "-${password}-", n: 1 };
        const wanted = [
          ["u&", username],
          ["p", `-${password}-`],
          ["n", "1"],
        ];
        const form = make({ body, headers: { "content-type": FORM } }, { username, password });
        const get = make({ body, method: "GET", url: "https://auth.test/a?k=1&q=${username}" }, { username, password });
        // A half of a character is no text that can be encoded.
        if ([username, password].some((text) => /[\ud800-\udfff]/u.test(text))) {
          expect([form, get]).toEqual([undefined, undefined]);
          return;
        }
        expect([...new URLSearchParams(form!.body)]).toEqual(wanted);
        const url = new URL(get!.url);
        expect([url.origin, url.pathname, url.hash, get!.body]).toEqual(["https://auth.test", "/a", "", undefined]);
        expect([...url.searchParams]).toEqual([["k", "1"], ["q", username], ...wanted]);
      }),
    );
  });

  test("of a path: one level, or no request", () => {
    for (const url of ["https://auth.test/users/${username}/auth", "https://auth.test/${username}", "https://auth.test/a/.${username}/"]) {
      fc.assert(
        fc.property(HOSTILE, (username) => {
          const made = make({ url }, { username });
          if (made === undefined) return;
          const { pathname, origin, search, hash } = new URL(made.url);
          const wanted = new URL(url.replace("${username}", "x")).pathname.split("/");
          expect([origin, search, hash]).toEqual(["https://auth.test", "", ""]);
          expect(pathname.split("/").map(decodeURIComponent)).toEqual(
            wanted.map((level) => (level === "x" ? username : level === ".x" ? `.${username}` : level)),
          );
          expect(username).not.toMatch(/[/\\]/);
        }),
      );
    }
    for (const username of ["", ".", "..", "a/b", "a\\b", "\ud800"])
      expect(make({ url: "https://auth.test/users/${username}/auth" }, { username }), username).toBeUndefined();
    for (const username of ["", "."]) expect(make({ url: "https://auth.test/.${username}" }, { username }), username).toBeUndefined();
    expect(make({ url: "https://auth.test/a/${username}" }, { username: "a b?#%2e" })?.url).toBe("https://auth.test/a/a%20b%3F%23%252e");
  });

  test("of a header: what could end or divide it makes no request, tokens and mail addresses do", () => {
    const headers = { authorization: "Bearer ${password}", "x-user": "user=${username}; role=guest" };
    fc.assert(
      fc.property(HOSTILE, (username) => {
        const made = make({ headers }, { username, password: "x" });
        if (made === undefined) return;
        expect(made.headers["x-user"]).toBe(`user=${username}; role=guest`);
        expect(username).toMatch(/^[\x21-\x7e]*$/);
        expect(username).not.toMatch(/[\s,;"\\()<>]/);
      }),
    );
    for (const username of ["a b", "a;role=admin", "a,b", '"', "a\r\nx: y", "\0", "é"])
      expect(make({ headers }, { username, password: "x" }), username).toBeUndefined();
    const made = make({ headers }, { username: "ada@example.com", password: "eyJh.bG-_c.i+/==" });
    expect(made?.headers).toMatchObject({ authorization: "Bearer eyJh.bG-_c.i+/==", "x-user": "user=ada@example.com; role=guest" });
  });
});

test("a value that looks like a placeholder stays what it is", () => {
  expect(JSON.parse(make({ body: { u: "${username}${password}" } }, { username: "${password}", password: "p" })!.body!)).toEqual({
    u: "${password}p",
  });
});

test("a value that is no text makes no request, where it is used", () => {
  const template = (body: RequestShape["body"]): RequestTemplate => new RequestTemplate({ ...SHAPE, body });
  expect(template({ p: ["${password}"] }).make(() => undefined)).toBeUndefined();
  expect(template({ p: "x" }).make(() => undefined)).toBeDefined();
});

test("placeholders: those that are known, and nothing that looks like one", () => {
  for (const text of [
    "",
    "x",
    "$",
    "{}",
    "$x}",
    "${clientid}",
    "${proto_ver}-${proto_name}",
    "${client_attrs.role}",
    "${peerhost}${password}",
  ])
    expect(parseTemplate(text), text).toBeDefined();
  for (const text of [
    "${",
    "${}",
    "${clientId}",
    "${topic}",
    "${client_attrs}",
    "${client_attrs.}",
    "${a",
    "${ clientid }",
    "${${clientid}}",
  ])
    expect(parseTemplate(text), text).toBeUndefined();
  expect(parseTemplate("${topic}", ["topic"])).toBeDefined();
});

test("URLs: over TLS, or on this machine; placeholders in path and query alone", () => {
  for (const url of [
    "https://auth.test",
    "https://auth.test:8443/a/${clientid}?x=${username}",
    "http://127.0.0.1:1/a",
    "http://localhost/",
    "http://[::1]:80/",
  ])
    expect(isHookUrl(url), url).toBe(true);
  for (const url of [
    "",
    "auth.test",
    "http://auth.test/",
    "http://10.0.0.1/",
    "ftp://auth.test/",
    "https://user:word@auth.test/",
    "https://user@auth.test/",
    "https://${username}/",
    "https://${username}.auth.test/",
    "https://auth.test/#x",
    "https://auth.test/a b",
    "https://auth.test\\a",
    "https://auth.test/../a",
    "https://auth.test/a/%2e%2E/b",
    "https://auth.test/${nothing}",
    "https://auth.test/?${",
    "https:///a",
    "http://localhost.auth.test/",
    "http://127.0.0.1@auth.test/",
  ])
    expect(isHookUrl(url), url).toBe(false);
});

test("headers: names and texts that may be sent, and none that the platform sets", () => {
  expect(parseHeaders({ Authorization: "Bearer x", "X-Client": "${clientid}" })).toEqual({
    authorization: "Bearer x",
    "x-client": "${clientid}",
  });
  for (const wrong of [
    undefined,
    null,
    [],
    "x",
    { "a b": "x" },
    { "a:": "x" },
    { a: 1 },
    { a: "x\r\ny: z" },
    { a: "é" },
    { a: "${nothing}" },
    { Host: "x" },
    { "content-length": "1" },
    { "Transfer-Encoding": "chunked" },
    { "content-type": "text/plain" },
    { a: "1", A: "2" },
  ])
    expect(parseHeaders(wrong), JSON.stringify(wrong)).toBeUndefined();
});

test("bodies: objects whose texts are templates and whose names are none", () => {
  for (const body of [{}, { a: "${clientid}", b: [1, { c: null }] }]) expect(isBody(body)).toBe(true);
  for (const body of [null, [], "x", 1, { a: "${nothing}" }, { "${clientid}": 1 }, { a: [{ b: "${" }] }])
    expect(isBody(body), JSON.stringify(body)).toBe(false);
});
