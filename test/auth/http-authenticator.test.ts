/** What answers of an HTTP service mean: whatever is not as it should be lets nobody in. The service is a function here. */

import { describe, expect, test } from "vitest";
import { GoAuthenticator } from "../../src/auth/go-auth.ts";
import { HttpAuthenticator } from "../../src/auth/http-authenticator.ts";
import { HttpHook } from "../../src/auth/http-hook.ts";
import { HTTP_SETTINGS, type HttpSettings, NO_HTTP } from "../../src/auth/http-settings.ts";
import { FORM } from "../../src/auth/http-template.ts";
import {
  HOOK_ANSWER_BYTES_MAX,
  HOOK_CACHE_MS_MAX,
  HOOK_CALLS_PER_ADDRESS_MAX,
  HOOK_FAILURES_MAX,
  HOOK_SILENCE_MS,
} from "../../src/login-limits.ts";
import type { Connect } from "../../src/mqtt/packet.ts";
import { PLATFORM, type Runtime } from "../../src/runtime.ts";
import type { Admission, Caller, Refusal } from "../../src/session/ports.ts";
import { NOBODY } from "../../src/session/ports.ts";
import { CALLER, connect } from "./support.ts";

interface Asked {
  readonly url: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
}

const SECONDS = 1_900_000_000;

function setup(answer: (asked: Asked) => Response | Promise<Response>, settings: Partial<HttpSettings> = {}) {
  const asked: Asked[] = [];
  const problems: string[] = [];
  const clock = { now: SECONDS * 1000 };
  const runtime: Runtime = { ...PLATFORM, now: () => clock.now };
  const fetch = async (url: string, init: RequestInit): Promise<Response> => {
    expect(init.redirect).toBe("manual");
    const one = { url, method: init.method!, headers: init.headers as Record<string, string>, body: init.body as string | undefined };
    asked.push(one);
    return answer(one);
  };
  const all: HttpSettings = { ...NO_HTTP, url: "https://auth.test/login", timeoutMs: 100, ...settings };
  const hook = new HttpHook("HTTP_AUTH_URL", all.timeoutMs, { fetch, runtime, failed: (problem) => void problems.push(problem) });
  const http = all.preset === "go-auth" ? new GoAuthenticator(all, hook, runtime) : new HttpAuthenticator(all, hook, runtime);
  const login = (client: Connect = connect("ada", "secret"), whenGone?: Caller["whenGone"]): Promise<Admission | Refusal | undefined> =>
    http.authenticate(client, { ...CALLER, address: "192.0.2.1", ...(whenGone && { whenGone }) });
  return { login, asked, problems, clock };
}

const json = (value: unknown, init: ResponseInit = {}): Response => new Response(JSON.stringify(value), init);
const ADA = { ...NOBODY, userName: "ada", address: "192.0.2.1", grants: "{}" };
const UNAVAILABLE = { reasonCode: 0x88, message: "the authentication service is not available; try again" };

describe("what is asked", () => {
  test("the usual request of EMQX's users", async () => {
    const { login, asked } = setup(() => new Response(null, { status: 204 }));
    expect(await login()).toEqual(ADA);
    expect(asked).toEqual([
      {
        url: "https://auth.test/login",
        method: "POST",
        headers: { accept: "application/json", "content-type": "application/json" },
        body: '{"clientid":"c","username":"ada","password":"secret","peerhost":"192.0.2.1"}',
      },
    ]);
  });

  test("placeholders everywhere, each with what it stands for; what a client does not have is empty", async () => {
    const body = HTTP_SETTINGS.body.parse(
      '{"p": "${proto_name} ${proto_ver} ${namespace}", "u": "${username}", "w": "${password}", "a": "${client_attrs.x}"}',
    )!;
    const { login, asked } = setup(() => json({}), {
      url: "https://auth.test/${clientid}?ip=${peerhost}",
      headers: { "x-client": "${clientid}" },
      body,
    });
    for (const version of [3, 4, 5] as const) await login({ ...connect(undefined, undefined, "c 1".replace(" ", "-")), version });
    expect(asked.map(({ body: text }) => JSON.parse(text!))).toEqual(
      ["MQIsdp 3 default", "MQTT 4 default", "MQTT 5 default"].map((p) => ({ p, u: "", w: "", a: "" })),
    );
    expect(asked[0]).toMatchObject({ url: "https://auth.test/c-1?ip=192.0.2.1", headers: { "x-client": "c-1" } });
  });

  test("GET: no body, nothing in the query but what is written there", async () => {
    const { login, asked } = setup(() => json({}), { method: "GET", url: "https://auth.test/?u=${username}" });
    await login();
    expect(asked[0]).toMatchObject({ method: "GET", url: "https://auth.test/?u=ada", body: undefined });
  });

  test("a client whose words can't be passed on is refused without asking", async () => {
    const { login, asked } = setup(() => json({ result: "allow" }));
    const bytes = { ...connect("ada"), password: Uint8Array.of(0xff, 0xfe) };
    expect(await login(bytes)).toMatchObject({ reasonCode: 0x86 });
    expect(asked).toEqual([]);
  });
});

describe("what is answered", () => {
  const answers: [string, () => Response, object | undefined][] = [
    ["204", () => new Response(null, { status: 204 }), ADA],
    ["allow", () => json({ result: "allow" }), ADA],
    ["allow and more than anybody asked for", () => json({ result: "allow", x: 1 }), ADA],
    ["deny", () => json({ result: "deny" }), { reasonCode: 0x87 }],
    ["401", () => new Response(null, { status: 401 }), { reasonCode: 0x87 }],
    ["403", () => json({ result: "allow" }, { status: 403 }), { reasonCode: 0x87 }],
    ["ignore", () => json({ result: "ignore" }), undefined],
    ["no result", () => json({}), undefined],
    ["an end to come", () => json({ result: "allow", expire_at: SECONDS + 60 }), { ...ADA, expiresAt: (SECONDS + 60) * 1000 }],
    ["another client ID", () => json({ result: "allow", clientid_override: "d" }), { ...ADA, clientId: "d" }],
    ["superuser", () => json({ result: "allow", is_superuser: true }), { ...ADA, grants: '{"superuser":true}' }],
    ["no superuser", () => json({ result: "allow", is_superuser: false }), ADA],
    [
      "rights and attributes",
      () => json({ result: "allow", acl: [{ permission: "allow", action: "all", topic: "a" }], client_attrs: { role: "x" } }),
      { ...ADA, grants: '{"acl":[{"permission":"allow","action":"all","topic":"a"}],"attributes":{"role":"x"}}' },
    ],
    ["an end that has come", () => json({ result: "allow", expire_at: SECONDS }), { reasonCode: 0x87, message: "the login has expired" }],
  ];
  test.each(answers)("%s", async (_what, answer, wanted) => {
    const { login, problems } = setup(answer);
    const answered = await login();
    if (wanted === undefined) expect(answered).toBeUndefined();
    else if ("reasonCode" in wanted) expect(answered).toMatchObject(wanted);
    else expect(answered).toEqual(wanted);
    expect(problems).toEqual([]);
  });

  const lies: [string, () => Response | Promise<Response>][] = [
    ["an end in milliseconds", () => json({ result: "allow", expire_at: (SECONDS + 60) * 1000 })],
    ["half a second", () => json({ result: "allow", expire_at: SECONDS + 60.5 })],
    ["an end that is text", () => json({ result: "allow", expire_at: `${SECONDS + 60}` })],
    ["an end before all time", () => json({ result: "allow", expire_at: -1 })],
    ["no end, said oddly", () => json({ result: "allow", expire_at: null })],
    ["another result", () => json({ result: "Allow" })],
    ["a result of another kind", () => json({ result: true })],
    ["superuser by text", () => json({ result: "allow", is_superuser: "false" })],
    ["a client ID that is none", () => json({ result: "allow", clientid_override: "" })],
    ["a client ID of another kind", () => json({ result: "allow", clientid_override: 7 })],
    ["a client ID with U+0000", () => json({ result: "allow", clientid_override: "a\0b" })],
    ["no list of rules", () => json({ result: "allow", acl: "all" })],
    ["a rule that is none", () => json({ result: "allow", acl: [{ permission: "allow", action: "all", topic: "a/#/secret" }] })],
    [
      "a rule with a condition that nobody knows",
      () => json({ result: "allow", acl: [{ permission: "allow", action: "all", topic: "a", ada: 1 }] }),
    ],
    ["no rules, said oddly", () => json({ result: "allow", acl: null })],
    ["attributes of another kind", () => json({ result: "allow", client_attrs: { a: 1 } })],
    ["a list", () => json([{ result: "allow" }])],
    ["text", () => json("allow")],
    ["null", () => json(null)],
    ["nothing", () => new Response("")],
    ["no JSON", () => new Response("<html>allow")],
    ["JSON that has no end", () => new Response('{"result":"allow"')],
    ["no UTF-8", () => new Response(Uint8Array.of(0x7b, 0xff, 0x7d))],
    ["too much", () => json({ result: "allow", x: "x".repeat(HOOK_ANSWER_BYTES_MAX) })],
    ["more rights than a login may bring", () => json({ result: "allow", client_attrs: { a: "x".repeat(5000) } })],
    ["a redirect", () => new Response(null, { status: 302, headers: { location: "https://auth.test/elsewhere" } })],
    ["201", () => json({ result: "allow" }, { status: 201 })],
    ["400", () => json({ result: "allow" }, { status: 400 })],
    ["404", () => new Response(null, { status: 404 })],
    ["429", () => new Response(null, { status: 429 })],
    ["500", () => json({ result: "allow" }, { status: 500 })],
    ["503", () => new Response(null, { status: 503 })],
    ["an error", () => Promise.reject(new Error("secret"))],
    ["never", () => new Promise(() => {})],
  ];
  test.each(lies)("is no help: %s", async (_what, answer) => {
    const { login, problems } = setup(answer);
    expect(await login()).toEqual(UNAVAILABLE);
    expect(problems).toEqual([expect.stringMatching(/^the service of HTTP_AUTH_URL is no help: [a-z0-9 ,_A-Z[\].:+#$%{}]+$/)]);
    expect(problems.join()).not.toMatch(/secret|ada/);
  });

  test("a body that never ends is given up", async () => {
    const endless = (): Response => new Response(new ReadableStream({ pull: (controller) => controller.enqueue(new Uint8Array(4096)) }));
    const { login, problems } = setup(endless);
    expect(await login()).toEqual(UNAVAILABLE);
    expect(problems).toEqual(["the service of HTTP_AUTH_URL is no help: its answer is too large"]);
    const stuck = setup(() => new Response(new ReadableStream({ start: (controller) => controller.enqueue(new Uint8Array(1)) })));
    expect(await stuck.login()).toEqual(UNAVAILABLE);
    expect(stuck.problems).toEqual(["the service of HTTP_AUTH_URL is no help: did not answer within 100 ms"]);
  });
});

describe("what is kept", () => {
  const kept = (age: string, value: object = { result: "allow" }) => json(value, { headers: { "cache-control": age } });

  test("an answer as long as it says, for the very same question", async () => {
    const { login, asked, clock } = setup(() => kept("private, max-age=60"));
    for (let i = 0; i < 3; i += 1) expect(await login()).toEqual(ADA);
    expect(asked.length).toBe(1);
    for (const other of [connect("ada", "wrong"), connect("bob", "secret"), connect("ada", "secret", "d")]) await login(other);
    expect(asked.length).toBe(4);
    clock.now += 59_999;
    await login();
    expect(asked.length).toBe(4);
    clock.now += 1;
    await login();
    expect(asked.length).toBe(5);
  });

  test("what the template does not use makes no other question", async () => {
    const { login, asked } = setup(() => kept("max-age=60"), { body: { u: "${username}" } });
    for (const id of ["c", "d", "e"]) await login(connect("ada", id, id));
    expect(asked.length).toBe(1);
  });

  test("a denial too, and an end that comes while it is kept", async () => {
    const denied = setup(() => kept("max-age=60", { result: "deny" }));
    for (let i = 0; i < 2; i += 1) expect(await denied.login()).toMatchObject({ reasonCode: 0x87 });
    expect(denied.asked.length).toBe(1);
    const ending = setup(() => kept("max-age=60", { result: "allow", expire_at: SECONDS + 10 }));
    expect(await ending.login()).toMatchObject({ userName: "ada" });
    ending.clock.now += 10_000;
    expect(await ending.login()).toMatchObject({ reasonCode: 0x87 });
  });

  test("no longer than a while, and not when the clock was set back", async () => {
    const { login, asked, clock } = setup(() => kept("max-age=999999999"));
    await login();
    clock.now -= 1;
    await login();
    expect(asked.length).toBe(2);
    clock.now += HOOK_CACHE_MS_MAX;
    await login();
    expect(asked.length).toBe(3);
  });

  test.each([
    "",
    "max-age=0",
    "no-store, max-age=60",
    "max-age=60, no-cache",
    "max-age=x",
    "max-age=60, max-age=70",
    "max-age=-1",
    "s-maxage=60",
  ])("nothing by `%s`", async (age) => {
    const { login, asked } = setup(() => kept(age));
    for (let i = 0; i < 2; i += 1) await login();
    expect(asked.length).toBe(2);
  });

  test("nothing that was no help", async () => {
    for (const answer of [
      () => kept("max-age=60", { result: 1 }),
      () => new Response("", { status: 500, headers: { "cache-control": "max-age=60" } }),
    ]) {
      const { login, asked } = setup(answer);
      for (let i = 0; i < 2; i += 1) await login();
      expect(asked.length).toBe(2);
    }
  });
});

describe("a service that is down", () => {
  test("is left alone after some logins, and asked again later; the log has a line now and then", async () => {
    let isDown = true;
    const { login, asked, problems, clock } = setup(() => (isDown ? Promise.reject(new Error()) : json({ result: "allow" })));
    for (let i = 0; i < 50; i += 1) expect(await login()).toEqual(UNAVAILABLE);
    expect([asked.length, problems.length]).toEqual([HOOK_FAILURES_MAX, 1]);
    clock.now += HOOK_SILENCE_MS;
    for (let i = 0; i < 50; i += 1) expect(await login()).toEqual(UNAVAILABLE);
    expect([asked.length, problems.length]).toEqual([HOOK_FAILURES_MAX + 1, 2]);
    isDown = false;
    clock.now += HOOK_SILENCE_MS;
    for (let i = 0; i < 5; i += 1) expect(await login()).toEqual(ADA);
  });

  test("one that answers, and be it 500 to what somebody sends, is not down", async () => {
    const { login } = setup(({ body }) => (body!.includes("mallory") ? new Response(null, { status: 500 }) : json({ result: "allow" })));
    for (let i = 0; i < 20; i += 1) expect(await login(connect("mallory", "x"))).toEqual(UNAVAILABLE);
    expect(await login()).toEqual(ADA);
  });
});

test("clients that leave before the answer hold no places, and are no reason to take the service for down", async () => {
  let isSlow = true;
  const { login, asked, problems } = setup(() => (isSlow ? new Promise(() => {}) : json({ result: "allow" })), { timeoutMs: 10_000 });
  const gone: (() => void)[] = [];
  const whenGone = (run: () => void): void => void gone.push(run);
  const left = Array.from({ length: HOOK_CALLS_PER_ADDRESS_MAX }, (_, index) => login(connect("ada", `${index}`), whenGone));
  while (asked.length < left.length) await new Promise((resolve) => setImmediate(resolve));
  isSlow = false;
  for (const run of gone) run();
  expect(await login()).toEqual(ADA);
  await Promise.all(left);
  expect(await login(connect("bob", "x"))).toMatchObject({ userName: "bob" });
  expect(problems).toEqual([]);
});

describe("go-auth", () => {
  const service =
    (statuses: Readonly<Record<string, number>>) =>
    ({ url }: Asked): Response => {
      const status = statuses[url.slice("https://auth.test/login/".length)] ?? 404;
      return new Response(status === 204 || status === 304 ? null : "{}", { status });
    };
  const go = (statuses: Readonly<Record<string, number>>, settings: Partial<HttpSettings> = {}) =>
    setup(service(statuses), { preset: "go-auth", ...settings });

  test("asks for the user, then whether it is one who may do everything", async () => {
    for (const url of ["https://auth.test/login", "https://auth.test/login/"]) {
      const { login, asked } = go({ user: 200, superuser: 200 }, { url });
      expect(await login()).toEqual({ ...ADA, grants: '{"superuser":true}' });
      expect(asked.map(({ url: at, method, body }) => [at, method, body])).toEqual([
        ["https://auth.test/login/user", "POST", '{"username":"ada","password":"secret","clientid":"c"}'],
        ["https://auth.test/login/superuser", "POST", '{"username":"ada"}'],
      ]);
    }
  });

  test("a form where the header says so", async () => {
    const { login, asked } = go({ user: 200 }, { headers: { "content-type": FORM } });
    expect(await login()).toEqual(ADA);
    expect(asked[0]!.body).toBe("username=ada&password=secret&clientid=c");
  });

  test("whoever is not known is refused, and is not asked about further; a name that is missing is nobody's", async () => {
    const { login, asked } = go({ user: 403, superuser: 200 });
    expect(await login()).toMatchObject({ reasonCode: 0x87 });
    expect(asked.length).toBe(1);
    expect(await login(connect())).toBeUndefined();
    expect(asked.length).toBe(1);
  });

  test.each([
    { user: 500 },
    { user: 302 },
    { user: 304 },
    { user: 201 },
    { user: 429 },
    { user: 200, superuser: 500 },
    { user: 200, superuser: 302 },
  ])("is no help: %o", async (statuses) => {
    expect(await go(statuses).login()).toEqual(UNAVAILABLE);
  });
});
