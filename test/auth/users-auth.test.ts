import { beforeAll, describe, expect, test } from "vitest";
import { AuthenticatorChain } from "../../src/auth/chain.ts";
import { allowPublish, allowSubscribe, NO_RULES } from "../../src/auth/rules.ts";
import { RulesAuthorizer } from "../../src/auth/rules-authorizer.ts";
import type { User } from "../../src/auth/users.ts";
import { UsersAuthenticator } from "../../src/auth/users-authenticator.ts";
import { PLATFORM } from "../../src/runtime.ts";
import { NOBODY } from "../../src/session/ports.ts";
import { CALLER, connect, quickHash, UNCOUNTED } from "./support.ts";

const REFUSAL = { reasonCode: 0x86, message: "The user name or the password is not right." };

describe("authentication of users", () => {
  let users: User[];
  beforeAll(async () => {
    users = [
      { user: "ada", password: await quickHash("lovelace"), acl: NO_RULES },
      { user: "bob", password: await quickHash("builder"), acl: NO_RULES },
    ];
  });

  test("lets in a user with the right password, again and again", async () => {
    const authenticator = new UsersAuthenticator(users, PLATFORM, UNCOUNTED);
    for (let round = 0; round < 3; round++) {
      expect(await authenticator.authenticate(connect("ada", "lovelace"), CALLER)).toEqual({ ...NOBODY, userName: "ada" });
      expect(await authenticator.authenticate(connect("bob", "builder"), CALLER)).toEqual({ ...NOBODY, userName: "bob" });
    }
  });

  test("refuses everybody else with 0x86 and one sentence, whether the user exists or not", async () => {
    const authenticator = new AuthenticatorChain([new UsersAuthenticator(users, PLATFORM, UNCOUNTED)]);
    const refused = async (): Promise<void> => {
      for (const [userName, password] of [
        ["ada", "builder"],
        ["ada", ""],
        ["ada", undefined],
        ["Ada", "lovelace"],
        ["eve", "lovelace"],
        ["eve", undefined],
        ["", "lovelace"],
        ["__proto__", "lovelace"],
        [undefined, "lovelace"],
        [undefined, undefined],
      ]) {
        expect(await authenticator.authenticate(connect(userName, password), CALLER), `${userName} ${password}`).toEqual(REFUSAL);
      }
    };
    await refused();
    // A password that was verified opens the door to its own user only.
    expect(await authenticator.authenticate(connect("ada", "lovelace"), CALLER)).toEqual({ ...NOBODY, userName: "ada" });
    await refused();
  });

  test("an unknown user costs the same slow hash as a wrong password; a verified password costs none", async () => {
    const authenticator = new UsersAuthenticator(users, PLATFORM, UNCOUNTED);
    const slowHashes = async (userName: string, password: string): Promise<unknown[]> => {
      const original = crypto.subtle.deriveBits;
      const seen: unknown[] = [];
      crypto.subtle.deriveBits = ((algorithm: { iterations: number }, ...rest: [CryptoKey, number]) => {
        seen.push(algorithm.iterations);
        return original.call(crypto.subtle, algorithm as never, ...rest);
      }) as typeof original;
      try {
        await authenticator.authenticate(connect(userName, password), CALLER);
        return seen;
      } finally {
        crypto.subtle.deriveBits = original;
      }
    };
    expect(await slowHashes("eve", "x")).toEqual([1000]);
    expect(await slowHashes("ada", "x")).toEqual([1000]);
    expect(await slowHashes("ada", "lovelace")).toEqual([1000]);
    expect(await slowHashes("ada", "lovelace")).toEqual([]);
    expect(await slowHashes("ada", "x")).toEqual([1000]);
    expect(await slowHashes("bob", "lovelace")).toEqual([1000]);
  });

  test("many at once are told apart", async () => {
    const authenticator = new UsersAuthenticator(users, PLATFORM, UNCOUNTED);
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, index) => authenticator.authenticate(connect(index % 2 === 0 ? "ada" : "bob", "lovelace"), CALLER)),
    );
    expect(answers).toEqual(Array.from({ length: 20 }, (_, index) => (index % 2 === 0 ? { ...NOBODY, userName: "ada" } : REFUSAL)));
  });
});

describe("authorization of users", () => {
  const user = (name: string, publish: readonly string[], subscribe: readonly string[]): User => {
    const rules = [...allowPublish(publish, "publish"), ...allowSubscribe(subscribe, "subscribe")];
    return { user: name, password: "", acl: { rules, closed: false } };
  };
  const users = [
    user("ada", ["home/+/set", "c/%c/#", "u/%u"], ["home/#", "c/%c/#"]),
    user("all", ["#", "+/+"], ["#"]),
    user("system", ["$control/#"], ["$SYS/#"]),
    user("first", ["%c/#"], ["%c/#"]),
    user("nobody", [], []),
  ];
  const authorizer = new RulesAuthorizer({ users, acl: NO_RULES, noMatch: "deny", allowsAnonymous: false });
  const mayPublish = (userName: string | undefined, clientId: string, topic: string): boolean =>
    authorizer.mayPublish({ ...NOBODY, userName }, clientId, topic, 0, false);
  const maySubscribe = (userName: string | undefined, clientId: string, filter: string): boolean =>
    authorizer.maySubscribe({ ...NOBODY, userName }, clientId, filter, 0);

  test("publishes where a filter matches and nowhere else", () => {
    expect(mayPublish("ada", "c1", "home/lamp/set")).toBe(true);
    expect(mayPublish("ada", "c1", "home/lamp")).toBe(false);
    expect(mayPublish("ada", "c1", "home/lamp/set/x")).toBe(false);
    expect(mayPublish("ada", "c1", "u/ada")).toBe(true);
    expect(mayPublish("ada", "c1", "u/bob")).toBe(false);
    expect(mayPublish("nobody", "c1", "a")).toBe(false);
  });

  test("subscribes to what lies within a filter, not to what reaches beyond", () => {
    expect(maySubscribe("ada", "c1", "home/+/state")).toBe(true);
    expect(maySubscribe("ada", "c1", "home")).toBe(true);
    expect(maySubscribe("ada", "c1", "home/#")).toBe(true);
    expect(maySubscribe("ada", "c1", "+/#")).toBe(false);
    expect(maySubscribe("ada", "c1", "#")).toBe(false);
    expect(maySubscribe("nobody", "c1", "a")).toBe(false);
  });

  test("%c is this client's identifier and no other's", () => {
    expect(mayPublish("ada", "c1", "c/c1/x")).toBe(true);
    expect(mayPublish("ada", "c2", "c/c1/x")).toBe(false);
    expect(maySubscribe("ada", "c1", "c/c1/#")).toBe(true);
    expect(maySubscribe("ada", "c1", "c/+/#")).toBe(false);
  });

  test("a Client Identifier with wildcards or slashes gains nothing", () => {
    for (const clientId of ["+", "#", "c1/x", "+/#", ""]) {
      for (const topic of ["c/c1/x", `c/${clientId}/x`, "c//x"]) expect(mayPublish("ada", clientId, topic)).toBe(false);
      for (const filter of ["c/+/#", "c/#", "c/c1/x", `c/${clientId}`]) expect(maySubscribe("ada", clientId, filter)).toBe(false);
    }
    expect(maySubscribe("ada", "+", "home/a")).toBe(true);
  });

  test("[5.0/4.7.2/publish] refuses topics that begin with $ unless a rule begins with that very level", () => {
    expect(mayPublish("all", "c1", "a/b/c")).toBe(true);
    for (const topic of ["$SYS/a", "$SYS", "$", "$control/x", "$share/g/a"]) expect(mayPublish("all", "c1", topic)).toBe(false);
    expect(mayPublish("system", "c1", "$control/x")).toBe(true);
    expect(mayPublish("system", "c1", "$SYS/x")).toBe(false);
    expect(mayPublish("first", "$SYS", "$SYS/x")).toBe(false);
    expect(mayPublish("first", "c1", "c1/x")).toBe(true);
  });

  test("[MQTT5-4.7.2-1] [MQTT311-4.7.2-1] the right to # is no right to $SYS/#", () => {
    expect(maySubscribe("all", "c1", "#")).toBe(true);
    expect(maySubscribe("all", "c1", "$SYS/#")).toBe(false);
    expect(maySubscribe("system", "c1", "$SYS/+/a")).toBe(true);
    expect(maySubscribe("first", "$SYS", "$SYS/#")).toBe(false);
  });

  test("[MQTT5-4.7.3-4] [MQTT311-4.7.3-4] topics are compared as they are", () => {
    expect(mayPublish("ada", "c1", "Home/lamp/set")).toBe(false);
    expect(mayPublish("ada", "c1", " home/lamp/set")).toBe(false);
  });

  test("who was removed, or gave no name, may do nothing", () => {
    for (const userName of ["removed", "", "__proto__", "constructor", undefined]) {
      expect(mayPublish(userName, "c1", "home/lamp/set")).toBe(false);
      expect(maySubscribe(userName, "c1", "home/#")).toBe(false);
    }
  });
});
