import { beforeAll, describe, expect, test, vi } from "vitest";
import { NO_ACL } from "../../src/auth/acl-settings.ts";
import { type Auth, type AuthServices, type AuthSettings, createAuth as create } from "../../src/auth/compose.ts";
import { NO_DIRECTORY } from "../../src/auth/directory-settings.ts";
import { NO_HTTP } from "../../src/auth/http-settings.ts";
import { NO_TOKENS } from "../../src/auth/jwt-settings.ts";
import { Bans, NO_BANS } from "../../src/directory/bans.ts";
import type { DirectoryPort } from "../../src/directory/ports.ts";
import { DEFAULT_RATES } from "../../src/rate.ts";
import { PLATFORM, type Runtime } from "../../src/runtime.ts";
import { NOBODY } from "../../src/session/ports.ts";
import { SECRET, signed } from "../support/tokens.ts";
import { CALLER, connect, quickHash } from "./support.ts";

let users: string;
beforeAll(async () => {
  users = JSON.stringify([{ user: "ada", password: await quickHash("lovelace"), publish: ["a/#"], subscribe: ["a/#"] }]);
});

const SERVICES = {
  fetch: () => Promise.reject(new Error("nothing is fetched here")),
  directory: undefined,
  failed: () => {},
  tooManyFailed: () => {},
};

const createAuth = (
  settings: Omit<AuthSettings, "jwt" | "directory" | "acl" | "rates" | "http" | "authChain" | "gatewaySecret"> & Partial<AuthSettings>,
  runtime: Runtime,
  services: Partial<AuthServices> = {},
): Auth =>
  create(
    {
      jwt: NO_TOKENS,
      directory: NO_DIRECTORY,
      acl: NO_ACL,
      rates: DEFAULT_RATES,
      http: NO_HTTP,
      authChain: [],
      gatewaySecret: new Uint8Array(0),
      ...settings,
    },
    runtime,
    {
      ...SERVICES,
      ...services,
    },
  );

const ANONYMOUS = NOBODY;
const ADA = { ...NOBODY, userName: "ada" };

describe("createAuth", () => {
  test("nothing configured: refuses everybody with 0x87 and says how to configure", async () => {
    for (const nothing of ["", "  \n"]) {
      const { authenticator, authorizer, problems } = createAuth({ users: nothing, allowAnonymous: false }, PLATFORM);
      expect(problems).toEqual([]);
      for (const packet of [connect(), connect("ada", "lovelace")]) {
        const answer = await authenticator.authenticate(packet, CALLER);
        expect(answer).toMatchObject({ reasonCode: 0x87, message: expect.stringMatching(/USERS.*ALLOW_ANONYMOUS=true/) });
      }
      for (const identity of [ANONYMOUS, ADA]) {
        expect(authorizer.mayPublish(identity, "c", "a", 0, false)).toBe(false);
        expect(authorizer.maySubscribe(identity, "c", "a", 0)).toBe(false);
      }
    }
  });

  test("anonymous: lets everybody in without a name, with every right but $ topics", async () => {
    const { authenticator, authorizer, problems } = createAuth({ users: "", allowAnonymous: true }, PLATFORM);
    expect(problems).toEqual([]);
    for (const packet of [connect(), connect("ada", "anything"), connect("ada")]) {
      expect(await authenticator.authenticate(packet, CALLER)).toEqual(ANONYMOUS);
    }
    expect(authorizer.mayPublish(ANONYMOUS, "c", "a/b", 0, false)).toBe(true);
    expect(authorizer.maySubscribe(ANONYMOUS, "c", "#", 0)).toBe(true);
  });

  test("anonymous clients are not granted what never comes: of $SYS there is only what bridges tell of themselves", () => {
    const { authorizer } = createAuth({ users: "", allowAnonymous: true }, PLATFORM);
    const closed = ["$SYS", "$SYS/#", "$SYS/+", "$SYS/broker/#", "$SYS/broker/+/+/state", "$SYS/broker/uptime", "$SYSTEM/#", "$dev/#"];
    for (const filter of closed) expect(authorizer.maySubscribe(ANONYMOUS, "c", filter, 0), filter).toBe(false);
    for (const filter of ["a/$SYS", "#", "+/a", "$SYS/broker/connection/#", "$SYS/broker/connection/+/state"])
      expect(authorizer.maySubscribe(ANONYMOUS, "c", filter, 0), filter).toBe(true);
  });

  test("where the figures of the broker are shown, anonymous clients listen to $SYS and tell nothing there; not with rules, and not where they are off", () => {
    const shown = { seconds: 10, anonymous: true };
    const listens = (system: NonNullable<AuthSettings["system"]>, rules = ""): boolean => {
      const { authorizer } = createAuth({ users: "", allowAnonymous: true, system, acl: { ...NO_ACL, rules } }, PLATFORM);
      expect(authorizer.mayPublish(ANONYMOUS, "c", "$SYS/broker/version", 0, false)).toBe(false);
      return authorizer.maySubscribe(ANONYMOUS, "c", "$SYS/#", 0);
    };
    expect([shown, { ...shown, seconds: 0 }, { ...shown, anonymous: false }].map((system) => listens(system))).toEqual([
      true,
      false,
      false,
    ]);
    expect(listens(shown, JSON.stringify([{ permission: "allow", action: "all", topics: ["#"] }]))).toBe(false);
  });

  test("bridges tell of themselves: anonymous ones, and users who may publish everything or have a rule for it", async () => {
    const password = await quickHash("x");
    const user = (name: string, publish: string[]): object => ({ user: name, password, publish, subscribe: [] });
    const some = [user("all", ["a", "#"]), user("rule", ["$SYS/broker/connection/+/state"]), user("few", ["+/#", "a/#"])];
    const { authorizer } = createAuth({ users: JSON.stringify(some), allowAnonymous: true }, PLATFORM);
    const mayTell = (userName: string | undefined, topic: string): boolean =>
      authorizer.mayPublish({ ...NOBODY, userName }, "c", topic, 0, false);
    const state = "$SYS/broker/connection/host.bridge/state";
    expect([undefined, "all", "rule", "few", "none"].map((name) => mayTell(name, state))).toEqual([true, true, true, false, false]);
    for (const topic of ["$SYS/broker/connection/state", "$SYS/broker/connection/a/b/state", "$SYS/broker/connection/a", "$SYS/a"])
      for (const name of [undefined, "all"]) expect(mayTell(name, topic), topic).toBe(false);
  });

  test("[5.0/4.7.2/publish] anonymous clients do not publish to topics that begin with $", () => {
    const { authorizer } = createAuth({ users: "", allowAnonymous: true }, PLATFORM);
    for (const topic of ["$SYS/a", "$", "$share/g/a"]) expect(authorizer.mayPublish(ANONYMOUS, "c", topic, 0, false)).toBe(false);
    expect(authorizer.mayPublish(ANONYMOUS, "c", "a/$b", 0, false)).toBe(true);
  });

  test("a session of a user that was restored after USERS was removed may do nothing", () => {
    const { authorizer } = createAuth({ users: "", allowAnonymous: true }, PLATFORM);
    expect(authorizer.mayPublish(ADA, "c", "a/b", 0, false)).toBe(false);
    expect(authorizer.maySubscribe(ADA, "c", "a/b", 0)).toBe(false);
  });

  test("users only: who gives no name is refused", async () => {
    const { authenticator, authorizer, problems } = createAuth({ users, allowAnonymous: false }, PLATFORM);
    expect(problems).toEqual([]);
    expect(await authenticator.authenticate(connect("ada", "lovelace"), CALLER)).toEqual(ADA);
    expect(await authenticator.authenticate(connect(), CALLER)).toMatchObject({ reasonCode: 0x86 });
    expect(authorizer.mayPublish(ADA, "c", "a/b", 0, false)).toBe(true);
    expect(authorizer.mayPublish(ADA, "c", "b", 0, false)).toBe(false);
    expect(authorizer.mayPublish(ANONYMOUS, "c", "a/b", 0, false)).toBe(false);
    expect(authorizer.maySubscribe(ANONYMOUS, "c", "a/b", 0)).toBe(false);
  });

  test("users and anonymous: a name is checked, none is anonymous", async () => {
    const { authenticator, authorizer } = createAuth({ users, allowAnonymous: true }, PLATFORM);
    expect(await authenticator.authenticate(connect("ada", "lovelace"), CALLER)).toEqual(ADA);
    expect(await authenticator.authenticate(connect("ada", "wrong"), CALLER)).toMatchObject({ reasonCode: 0x86 });
    expect(await authenticator.authenticate(connect("eve", "wrong"), CALLER)).toMatchObject({ reasonCode: 0x86 });
    expect(await authenticator.authenticate(connect("", "wrong"), CALLER)).toMatchObject({ reasonCode: 0x86 });
    expect(await authenticator.authenticate(connect(), CALLER)).toEqual(ANONYMOUS);
    expect(authorizer.mayPublish(ANONYMOUS, "c", "b", 0, false)).toBe(true);
    expect(authorizer.maySubscribe(ANONYMOUS, "c", "b", 0)).toBe(true);
    expect(authorizer.mayPublish(ADA, "c", "b", 0, false)).toBe(false);
    expect(authorizer.maySubscribe(ADA, "c", "b", 0)).toBe(false);
    expect(authorizer.maySubscribe(ADA, "c", "a/+", 0)).toBe(true);
    expect(authorizer.mayPublish({ ...NOBODY, userName: "removed" }, "c", "a/b", 0, false)).toBe(false);
  });

  test("USERS that is not valid closes the broker, also when anonymous is allowed, and tells clients nothing of it", async () => {
    for (const allowAnonymous of [false, true]) {
      const { authenticator, authorizer, problems } = createAuth(
        { users: '[{"user":"ada","password":"plain"}]', allowAnonymous },
        PLATFORM,
      );
      expect(problems).toHaveLength(1);
      expect(problems[0]).toMatch(/^USERS\[0\]\.password must be a hash/);
      for (const packet of [connect(), connect("ada", "plain")]) {
        expect(await authenticator.authenticate(packet, CALLER)).toEqual({
          reasonCode: 0x87,
          message: "This broker lets nobody in until its operator corrects the secret USERS.",
        });
      }
      expect(authorizer.mayPublish(ANONYMOUS, "c", "a", 0, false)).toBe(false);
    }
  });

  test("Authentication Methods: SCRAM-SHA-256 with users, none without; a closed broker says why whatever the method", async () => {
    for (const allowAnonymous of [false, true]) {
      const { enhanced } = createAuth({ users, allowAnonymous }, PLATFORM);
      expect(enhanced.methods).toEqual(["SCRAM-SHA-256"]);
      expect(enhanced.begin("SCRAM-SHA-256", "c", CALLER)).toBeDefined();
      expect(enhanced.begin("SCRAM-SHA-1", "c", CALLER)).toBeUndefined();
    }
    const { enhanced: none } = createAuth({ users: "", allowAnonymous: true }, PLATFORM);
    expect(none.methods).toEqual([]);
    expect(none.begin("SCRAM-SHA-256", "c", CALLER)).toBeUndefined();
    const { enhanced: closed } = createAuth({ users: "", allowAnonymous: false }, PLATFORM);
    expect(await closed.begin("SCRAM-SHA-256", "c", CALLER)?.step(new Uint8Array(0))).toMatchObject({
      reasonCode: 0x87,
      message: expect.stringMatching(/USERS/),
    });
  });

  describe("AUTH_CHAIN", () => {
    const http = { ...NO_HTTP, url: "https://auth.test/" };
    /** A service that knows `bob` and `ada`, each by the password `hook`, and does not know others. */
    const fetch = async (_url: string, init: RequestInit): Promise<Response> => {
      const { username, password } = JSON.parse(init.body as string);
      const result = !["ada", "bob"].includes(username) ? "ignore" : password === "hook" ? "allow" : "deny";
      return new Response(JSON.stringify({ result }));
    };
    const login = async (settings: Partial<AuthSettings>, name: string | undefined, word: string | undefined, services = {}) => {
      const { authenticator } = createAuth({ users, http, allowAnonymous: false, ...settings }, PLATFORM, { fetch, ...services });
      const answer = await authenticator.authenticate(connect(name, word), CALLER);
      return "reasonCode" in answer ? answer.reasonCode : [answer.userName, answer.grants];
    };

    test("by default users come before the HTTP service: whom they do not know is left to it, whom they know is not", async () => {
      expect(await login({}, "ada", "lovelace")).toEqual(["ada", ""]);
      expect(await login({}, "ada", "hook")).toBe(0x86);
      expect(await login({}, "bob", "hook")).toEqual(["bob", "{}"]);
      expect(await login({}, "bob", "wrong")).toBe(0x87);
      expect(await login({}, "eve", "hook")).toBe(0x86);
      expect(await login({}, undefined, undefined)).toBe(0x86);
    });

    test("in another order, and without some", async () => {
      const first = { authChain: ["http", "users"] } as const;
      expect(await login(first, "ada", "hook")).toEqual(["ada", "{}"]);
      expect(await login(first, "ada", "lovelace")).toBe(0x87);
      expect(await login({ authChain: ["users"] }, "bob", "hook")).toBe(0x86);
      expect(await login({ authChain: ["http"] }, "ada", "lovelace")).toBe(0x87);
      const without = createAuth({ users, http, authChain: ["http"], allowAnonymous: false }, PLATFORM, { fetch });
      expect(without.enhanced.methods).toEqual([]);
    });

    test("with anonymous clients last: only who gives no name, and whom nobody refuses", async () => {
      const open = { users: "", allowAnonymous: true };
      expect(await login(open, "bob", "hook")).toEqual(["bob", "{}"]);
      expect(await login(open, "bob", "wrong")).toBe(0x87);
      expect(await login(open, "eve", "hook")).toBe(0x86);
      expect(await login(open, undefined, undefined)).toEqual([undefined, ""]);
    });

    test("the binding AUTH comes last; what is no service closes the broker", async () => {
      const service = { fetch: () => {}, authenticate: async () => ({ result: "allow", clientid_override: "mine" }) };
      expect(await login({}, "eve", "x", { service })).toEqual(["eve", "{}"]);
      expect(await login({}, "bob", "wrong", { service })).toBe(0x87);
      for (const wrong of ["text", 7, null, {}]) {
        const auth = createAuth({ users, http, allowAnonymous: true }, PLATFORM, { fetch, service: wrong });
        expect(auth.problems).toEqual(["AUTH is not the binding of a service."]);
        expect(await login({ allowAnonymous: true }, "ada", "lovelace", { service: wrong })).toBe(0x87);
      }
    });

    test("a name of something that is not set closes the broker", async () => {
      for (const [link, settings] of [
        ["http", { http: NO_HTTP }],
        ["service", {}],
        ["jwt", {}],
        ["users", { users: "" }],
      ] as const) {
        const auth = createAuth({ users, http, ...settings, authChain: [link], allowAnonymous: true }, PLATFORM, { fetch });
        expect(auth.problems).toEqual([expect.stringMatching(new RegExp(`^AUTH_CHAIN names ${link}, which needs .*\\.$`))]);
        expect(await auth.authenticator.authenticate(connect(), CALLER)).toMatchObject({ reasonCode: 0x87 });
      }
    });

    test("subscriptions: a service that is not there to be asked closes the broker; nothing is asked unless something says so", () => {
      expect(createAuth({ users, http, allowAnonymous: false }, PLATFORM, { fetch }).askedRights).toBeUndefined();
      const asking = { ...http, serviceAuthorizes: true };
      const { problems, askedRights } = createAuth({ users, http: asking, allowAnonymous: false }, PLATFORM, { fetch });
      expect([problems, askedRights]).toEqual([["AUTH_AUTHORIZE needs the binding AUTH."], undefined]);
    });

    test("subscriptions of anonymous clients are asked about too, what they publish is not", async () => {
      const asked: unknown[] = [];
      const says = async (_url: string, init: RequestInit): Promise<Response> => {
        asked.push(JSON.parse(init.body as string));
        return new Response('{"result":"allow"}');
      };
      const authz = { ...NO_HTTP, authzUrl: "https://auth.test/authz" };
      const { askedRights } = createAuth({ users: "", http: authz, allowAnonymous: true }, PLATFORM, { fetch: says });
      const authorizer = askedRights!("n");
      expect(authorizer.maySubscribe(ANONYMOUS, "c", "a", 0)).toBe(false);
      expect(await authorizer.prepare(ANONYMOUS, "c", [{ topicFilter: "a", qos: 0 }])).toBe(true);
      expect(authorizer.maySubscribe(ANONYMOUS, "c", "a", 0)).toBe(true);
      expect(asked).toEqual([{ clientid: "c", username: "", peerhost: "", action: "subscribe", topic: "a", qos: "0" }]);
      expect(authorizer.mayPublish(ANONYMOUS, "c", "a", 0, false)).toBe(true);
      expect(authorizer.mayReceive(ANONYMOUS, "c", "a")).toBe(true);
    });

    test("what is said of a client in one namespace is not said of one that is called the same in another", async () => {
      const ofFirst = async (_url: string, init: RequestInit): Promise<Response> =>
        new Response(JSON.stringify({ result: init.body === '{"in":"first a"}' ? "allow" : "deny" }));
      const authz = { ...NO_HTTP, authzUrl: "https://auth.test/authz", authzBody: { in: "${namespace} ${topic}" } };
      const { askedRights } = createAuth({ users: "", http: authz, allowAnonymous: true }, PLATFORM, { fetch: ofFirst });
      const all = ["first", "second"].map((namespace) => askedRights!(namespace));
      for (const rights of all.toReversed()) await rights.prepare(ANONYMOUS, "c", [{ topicFilter: "a", qos: 0 }]);
      expect(all.map((rights) => rights.maySubscribe(ANONYMOUS, "c", "a", 0))).toEqual([true, false]);
    });

    test("refusals of a service count as failed logins of an address; who was right before is asked about all the same", async () => {
      let asked = 0;
      const counted = (url: string, init: RequestInit): Promise<Response> => {
        asked += 1;
        return fetch(url, init);
      };
      const rates = { addressLoginFailures: { count: 5, ms: 60_000, burst: undefined } };
      const { authenticator } = createAuth({ users: "", http, rates, allowAnonymous: false }, PLATFORM, { fetch: counted });
      const from = async (address: string, name: string, word: string) => {
        const answer = await authenticator.authenticate(connect(name, word), { ...CALLER, address });
        return "reasonCode" in answer ? answer.reasonCode : answer.userName;
      };
      expect(await from("192.0.2.1", "bob", "hook")).toBe("bob");
      for (let i = 0; i < 20; i += 1) await from("192.0.2.1", "ada", `wrong ${i}`);
      expect(asked).toBeLessThanOrEqual(1 + 5);
      expect(await from("192.0.2.1", "ada", "hook")).toBe(0x9f);
      expect(await from("192.0.2.1", "bob", "hook")).toBe("bob");
      expect(await from("192.0.2.2", "ada", "hook")).toBe("ada");
      // Whom the service does not know it has not refused.
      for (let i = 0; i < 20; i += 1) expect(await from("192.0.2.3", `${i}`, "x")).toBe(0x86);
    });

    describe("many logins at once, each of which a service takes its time for", () => {
      const rates = { addressLoginFailures: { count: 5, ms: 3_600_000, burst: undefined } };
      /** A service that knows everybody by the password `hook`, and answers when it is told to. */
      const world = () => {
        let asked = 0;
        let answer: () => void = () => {};
        const told = new Promise<void>((resolve) => {
          answer = resolve;
        });
        const slow = async (_url: string, init: RequestInit): Promise<Response> => {
          asked += 1;
          await told;
          return new Response(null, { status: JSON.parse(init.body as string).password === "hook" ? 204 : 403 });
        };
        const { authenticator } = createAuth({ users: "", http, rates, allowAnonymous: false }, PLATFORM, { fetch: slow });
        const from = async (name: string, word: string, caller: object = {}) => {
          const answered = await authenticator.authenticate(connect(name, word), { ...CALLER, address: "2001:db8::1", ...caller });
          return "reasonCode" in answered ? answered.reasonCode : answered.userName;
        };
        return { from, answer: () => answer(), asked: () => asked };
      };

      test("it is asked about no more guesses than one after the other, whoever they are for", async () => {
        for (const nameOf of [() => "ada", (index: number) => `user ${index}`]) {
          const { from, answer, asked } = world();
          const all = Array.from({ length: 200 }, (_, index) => from(nameOf(index), `wrong ${index}`));
          await vi.waitFor(() => expect(asked()).toBe(5));
          answer();
          const codes = await Promise.all(all);
          expect(asked()).toBe(5);
          expect(codes.filter((code) => code === 0x87)).toHaveLength(5);
          expect(new Set(codes)).toEqual(new Set([0x87, 0x9f]));
        }
      });

      test("of a user who was let in before no more passwords are compared either, where the address has no try left", async () => {
        const { from, answer } = world();
        answer();
        expect(await from("ada", "hook")).toBe("ada");
        for (let index = 0; index < 5; index += 1) expect(await from(`${index}`, "wrong")).toBe(0x87);
        const guesses = [...Array.from({ length: 50 }, (_, index) => `wrong ${index}`), "hook"];
        expect(new Set(await Promise.all(guesses.map((word) => from("ada", word))))).toEqual(new Set([0x9f]));
      });

      test("those who are right are all let in, of one user or of many", async () => {
        for (const nameOf of [() => "ada", (index: number) => `user ${index}`]) {
          const { from, answer } = world();
          const all = Array.from({ length: 12 }, (_, index) => from(nameOf(index), "hook"));
          answer();
          expect(await Promise.all(all)).toEqual(Array.from({ length: 12 }, (_, index) => nameOf(index)));
        }
      });

      test("whoever leaves before the answer has guessed", async () => {
        const { from, asked } = world();
        const leave: (() => void)[] = [];
        for (let index = 0; index < 5; index += 1)
          void from("ada", `wrong ${index}`, { whenGone: (run: () => void) => void leave.push(run) });
        await vi.waitFor(() => expect(asked()).toBe(5));
        for (const run of leave) run();
        expect(await from("bob", "hook")).toBe(0x9f);
        expect(asked()).toBe(5);
      });
    });
  });

  describe("tokens", () => {
    const jwt = { ...NO_TOKENS, secret: new TextEncoder().encode(SECRET) };

    test("come first, what is none is left to users, and whoever is neither is refused", async () => {
      const { authenticator, enhanced, authorizer } = createAuth({ users, jwt, allowAnonymous: false }, PLATFORM);
      const login = (name: string | undefined, word: string | undefined) => authenticator.authenticate(connect(name, word), CALLER);
      expect(await login("x", signed({ sub: "bob" }))).toEqual({ ...NOBODY, userName: "bob", grants: "{}" });
      expect(await login("ada", "lovelace")).toEqual(ADA);
      for (const [name, word] of [
        ["ada", "wrong"],
        ["ada", signed({ sub: "ada" }, `${SECRET}.`)],
        ["ada", undefined],
        [undefined, undefined],
      ])
        expect(await login(name, word)).toMatchObject({ reasonCode: 0x86 });
      expect(enhanced.methods).toEqual(["JWT", "OAUTH2-JWT", "CUSTOM-JWT", "SCRAM-SHA-256"]);
      for (const method of enhanced.methods) expect(enhanced.begin(method, "c", CALLER)).toBeDefined();
      expect(authorizer.mayPublish({ ...ADA, grants: "{}" }, "c", "a/b", 0, false)).toBe(false);
    });

    test("beside anonymous clients: whoever gives a user name means to be somebody", async () => {
      const { authenticator, authorizer } = createAuth({ users: "", jwt, allowAnonymous: true }, PLATFORM);
      expect(await authenticator.authenticate(connect(), CALLER)).toEqual(ANONYMOUS);
      expect(await authenticator.authenticate(connect("ada", "lovelace"), CALLER)).toMatchObject({ reasonCode: 0x86 });
      expect(await authenticator.authenticate(connect("ada", signed({}, `${SECRET}.`)), CALLER)).toMatchObject({ reasonCode: 0x86 });
      const nameless = { ...NOBODY, grants: "{}" };
      expect(await authenticator.authenticate(connect("ada", signed({})), CALLER)).toEqual(nameless);
      expect(authorizer.mayPublish(nameless, "c", "a", 0, false)).toBe(false);
      expect(authorizer.maySubscribe(nameless, "c", "a", 0)).toBe(false);
    });
  });
});

describe("users of the directory", () => {
  const known = { bans: NO_BANS, isEmpty: true, user: undefined, like: undefined };
  const ada = async () => ({ ...known, isEmpty: false, user: { password: await quickHash("byron"), grants: "{}" } });
  const directed = (settings: { users: string; allowAnonymous: boolean }, look: DirectoryPort["look"]): Auth =>
    createAuth(settings, PLATFORM, { directory: { look } });

  test("while there is nobody, clients hear so, or names are not looked at", async () => {
    const look = async () => known;
    const closed = directed({ users: "", allowAnonymous: false }, look);
    for (const packet of [connect(), connect("ada", "byron")]) {
      expect(await closed.authenticator.authenticate(packet, CALLER)).toMatchObject({
        reasonCode: 0x87,
        message: expect.stringContaining("adds users"),
      });
    }
    const open = directed({ users: "", allowAnonymous: true }, look);
    expect(await open.authenticator.authenticate(connect("ada", "byron"), CALLER)).toEqual(ANONYMOUS);
  });

  test("is asked once for a login, also about somebody who is not there, and anew for the next one", async () => {
    const asked: (string | undefined)[] = [];
    const look = async (_namespace: string, userName: string | undefined) => {
      asked.push(userName);
      return { ...known, isEmpty: false };
    };
    const { authenticator } = directed({ users: "", allowAnonymous: false }, look);
    for (const name of ["eve", "eve", undefined]) {
      expect(await authenticator.authenticate(connect(name, "x"), CALLER)).toMatchObject({ reasonCode: 0x86 });
    }
    expect(asked).toEqual(["eve", "eve", undefined]);
  });

  test("those who are there are let in with their own rights, never with those of USERS, which goes before", async () => {
    const look = async (_namespace: string, userName: string | undefined) => (userName === "ada" ? ada() : { ...known, isEmpty: false });
    const alone = directed({ users: "", allowAnonymous: true }, look);
    expect(await alone.authenticator.authenticate(connect("ada", "byron"), CALLER)).toEqual({ ...ADA, grants: "{}" });
    expect(await alone.authenticator.authenticate(connect("eve", "byron"), CALLER)).toMatchObject({ reasonCode: 0x86 });
    expect(await alone.authenticator.authenticate(connect(), CALLER)).toEqual(ANONYMOUS);
    const both = directed({ users, allowAnonymous: false }, look);
    expect(await both.authenticator.authenticate(connect("ada", "lovelace"), CALLER)).toEqual(ADA);
    expect(await both.authenticator.authenticate(connect("ada", "byron"), CALLER)).toMatchObject({ reasonCode: 0x86 });
    expect(both.authorizer.mayPublish({ ...ADA, grants: "{}" }, "c", "a/b", 0, false)).toBe(false);
  });

  describe("names that nobody has", () => {
    const rates = { addressLoginFailures: { count: 5, ms: 3_600_000, burst: undefined } };
    const HERE = { ...CALLER, address: "192.0.2.1" };
    const http = { ...NO_HTTP, url: "https://auth.test/" };

    /** A directory in which ada is, and how often it was asked for names. */
    async function world(settings: Partial<AuthSettings> = {}, answer = "ignore") {
      const asked: string[] = [];
      const [password, like] = [await quickHash("byron"), await quickHash("like")];
      const ban = { kind: "peerhost", who: "192.0.2.66", by: "", reason: "", at: 0, until: Number.POSITIVE_INFINITY } as const;
      const bans = new Bans({ version: 1, bans: [ban] });
      const look: DirectoryPort["look"] = async (_namespace, userName) => {
        if (userName !== undefined) asked.push(userName);
        return { bans, isEmpty: false, user: userName === "ada" ? { password, grants: "{}" } : undefined, like };
      };
      const fetch = async () => new Response(JSON.stringify({ result: answer }));
      const { authenticator } = createAuth({ users: "", allowAnonymous: false, rates, ...settings }, PLATFORM, {
        directory: { look },
        fetch,
      });
      const login = async (name: string, word: string | undefined, caller = HERE) => {
        const answered = await authenticator.authenticate(connect(name, word), { ...caller });
        return "reasonCode" in answered ? answered.reasonCode : answered.userName;
      };
      const many = (word: string | undefined) => Promise.all(Array.from({ length: 100 }, (_, index) => login(`nobody ${index}`, word)));
      return { asked, login, many };
    }

    test("above the rate of failed logins the directory is asked about nobody but who was right before, and bans come first", async () => {
      const { asked, login, many } = await world();
      expect(await login("ada", "byron")).toBe("ada");
      for (let index = 0; index < 5; index += 1) expect(await login(`eve ${index}`, "x")).toBe(0x86);
      asked.length = 0;
      expect(new Set(await many("x"))).toEqual(new Set([0x9f]));
      expect(await login("ada", "wrong")).toBe(0x9f);
      expect(asked).toEqual([]);
      expect(await login("ada", "byron")).toBe("ada");
      expect(asked).toEqual(["ada"]);
      expect(await login("eve", "x", { ...HERE, address: "192.0.2.66" })).toBe(0x8a);
    });

    test("whoever gives no password, or a token that is none, has nobody asked about", async () => {
      const { asked, many } = await world();
      expect(new Set(await many(undefined))).toEqual(new Set([0x86]));
      expect(asked).toEqual([]);
      const withTokens = await world({ jwt: { ...NO_TOKENS, secret: new TextEncoder().encode(SECRET) } });
      expect(new Set(await withTokens.many(signed({}, `${SECRET}.`)))).toEqual(new Set([0x86]));
      expect(withTokens.asked).toEqual([]);
    });

    test("count where a service does not know them either, and not where it does", async () => {
      const { asked, login, many } = await world({ http });
      for (let index = 0; index < 5; index += 1) expect(await login(`eve ${index}`, "x")).toBe(0x86);
      expect(new Set(await many("x"))).toEqual(new Set([0x9f]));
      expect(asked).toHaveLength(5);
      const known = await world({ http }, "allow");
      for (let index = 0; index < 12; index += 1) expect(await known.login(`device ${index}`, "x")).toBe(`device ${index}`);
    });

    test("a token behind the users is read although its address has no try left", async () => {
      const { login } = await world({ authChain: ["users", "jwt"], jwt: { ...NO_TOKENS, secret: new TextEncoder().encode(SECRET) } });
      for (let index = 0; index < 6; index += 1) await login("ada", `wrong ${index}`);
      expect(await login("bob", signed({ sub: "bob" }))).toBe("bob");
    });
  });

  test("where it can't be asked nobody is let in, banned or not", async () => {
    const lost = directed({ users, allowAnonymous: true }, () => Promise.reject(new Error("out of reach")));
    for (const packet of [connect(), connect("ada", "lovelace")])
      await expect(lost.authenticator.authenticate(packet, CALLER)).rejects.toThrow();
  });
});
