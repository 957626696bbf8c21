import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { FailedLogins } from "../../src/auth/failed-logins.ts";
import { NO_RULES } from "../../src/auth/rules.ts";
import type { User } from "../../src/auth/users.ts";
import { UsersAuthenticator } from "../../src/auth/users-authenticator.ts";
import { limitedAs, withoutPort } from "../../src/directory/network.ts";
import { BAD_USER_NAME_OR_PASSWORD, CONNECTION_RATE_EXCEEDED } from "../../src/mqtt/reason-code.ts";
import { parseRate } from "../../src/rate.ts";
import type { Runtime } from "../../src/runtime.ts";
import { CALLER, connect, quickHash } from "./support.ts";

/** A clock that stands, and waits that end at once and let it go on. */
let now = 1_700_000_000_000;
const runtime: Runtime = {
  now: () => now,
  after(ms, run) {
    const timer = setTimeout(() => {
      now += ms;
      run();
    });
    return { cancel: () => clearTimeout(timer) };
  },
  incarnation: () => "one",
};

const HERE = "203.0.113.7";
const ELSEWHERE = "203.0.113.8";

let told: string[];
let failures: FailedLogins;
let authenticator: UsersAuthenticator;
let hashes: number;

beforeEach(async () => {
  told = [];
  hashes = 0;
  failures = new FailedLogins(parseRate("3/1h")!, runtime, (address) => told.push(address));
  const users: User[] = [];
  for (const user of ["ada", "bob"]) users.push({ user, password: await quickHash(`of ${user}`), acl: NO_RULES });
  authenticator = new UsersAuthenticator(users, runtime, failures);
});

const { deriveBits } = crypto.subtle;
beforeEach(() => {
  crypto.subtle.deriveBits = ((...all: Parameters<typeof deriveBits>) => {
    hashes += 1;
    return deriveBits.apply(crypto.subtle, all);
  }) as typeof deriveBits;
});
afterEach(() => {
  crypto.subtle.deriveBits = deriveBits;
});

/** @returns the Reason Code, 0 for who is let in */
async function login(userName: string, password: string, address = HERE): Promise<number> {
  const answer = await authenticator.authenticate(connect(userName, password), { ...CALLER, address });
  return answer !== undefined && "reasonCode" in answer ? answer.reasonCode : 0;
}

async function fail(count: number, userName: string, address = HERE): Promise<number[]> {
  const codes: number[] = [];
  for (let number = 0; number < count; number += 1) codes.push(await login(userName, `wrong ${number}`, address));
  return codes;
}

const WRONG = BAD_USER_NAME_OR_PASSWORD;
const TOO_MANY = CONNECTION_RATE_EXCEEDED;

describe("failed logins of an address", () => {
  it("above the rate nothing is hashed for it, whoever is named; other addresses are not concerned", async () => {
    expect(await fail(5, "nobody")).toEqual([WRONG, WRONG, WRONG, TOO_MANY, TOO_MANY]);
    expect(hashes).toBe(3);
    expect(await login("ada", "of ada")).toBe(TOO_MANY);
    expect(hashes).toBe(3);
    expect(await login("ada", "of ada", ELSEWHERE)).toBe(0);
    expect(told).toEqual([HERE]);
  });

  it("whoever had the right password before is still let in from there", async () => {
    expect(await login("ada", "of ada")).toBe(0);
    await fail(5, "nobody");
    expect(await login("ada", "of ada")).toBe(0);
    expect(await login("bob", "of bob")).toBe(TOO_MANY);
  });

  it("the refusal is no way to guess: of one user no more passwords are looked at, not even the right one", async () => {
    expect(await login("ada", "of ada")).toBe(0);
    expect(await fail(6, "ada")).toEqual([WRONG, WRONG, WRONG, TOO_MANY, TOO_MANY, TOO_MANY]);
    expect(await login("ada", "of ada")).toBe(TOO_MANY);
    expect(await login("ada", "of ada", ELSEWHERE)).toBe(0);
  });

  it("guesses at one user count while others have used up the address", async () => {
    expect(await login("ada", "of ada")).toBe(0);
    await fail(3, "nobody");
    expect(await fail(3, "ada")).toEqual([TOO_MANY, TOO_MANY, TOO_MANY]);
    expect(await login("ada", "of ada")).toBe(TOO_MANY);
  });

  it("many who wait for their hash at once are hashed for no more often, and a fleet with right passwords is let in as a whole", async () => {
    const wrong = await Promise.all(Array.from({ length: 12 }, (_, number) => login(`nobody ${number}`, "x")));
    expect(wrong.filter((code) => code === WRONG)).toHaveLength(3);
    expect(wrong.filter((code) => code === TOO_MANY)).toHaveLength(9);
    expect(hashes).toBe(3);
    const right = await Promise.all(Array.from({ length: 12 }, () => login("bob", "of bob", ELSEWHERE)));
    expect(right).toEqual(Array(12).fill(0));
  });

  it("right passwords do not count, and time brings tries back", async () => {
    for (let number = 0; number < 10; number += 1) expect(await login("bob", "of bob")).toBe(0);
    await fail(4, "bob");
    now += 1_200_000;
    expect(await login("bob", "of bob")).toBe(0);
    expect(await fail(2, "bob")).toEqual([WRONG, TOO_MANY]);
  });

  it("where addresses are not known nobody shuts out a user, but hashing ends all the same", async () => {
    expect(await login("ada", "of ada", "")).toBe(0);
    expect(await fail(4, "ada", "")).toEqual([WRONG, WRONG, WRONG, TOO_MANY]);
    expect(hashes).toBe(4);
    expect(await login("ada", "of ada", "")).toBe(0);
  });

  it("of a user who was let in before no more passwords are compared at once than one after the other", async () => {
    expect(await login("ada", "of ada")).toBe(0);
    await fail(3, "nobody");
    const guesses = [...Array.from({ length: 30 }, (_, number) => `wrong ${number}`), "of ada"];
    expect(new Set(await Promise.all(guesses.map((each) => login("ada", each))))).toEqual(new Set([TOO_MANY]));
    expect(await login("bob", "of bob", ELSEWHERE)).toBe(0);
  });

  it("names of any length are counted, and take no more memory than short ones", async () => {
    const long = "n".repeat(65_535);
    expect(await fail(2, long)).toEqual([WRONG, WRONG]);
    expect(failures.isShut(HERE, long)).toBe(false);
    expect(await fail(2, long)).toEqual([WRONG, TOO_MANY]);
    expect(failures.isShut(HERE, long)).toBe(true);
    expect(failures.isShut(HERE, `${long.slice(1)}m`)).toBe(false);
    setFlagsFromString("--expose-gc");
    const gc = runInNewContext("gc") as () => void;
    const used = (): number => {
      gc();
      return process.memoryUsage().heapUsed;
    };
    const before = used();
    for (let number = 0; number < 2000; number += 1) failures.guessed(HERE, `${number}${long}`);
    expect(used() - before).toBeLessThan(10_000_000);
  });
});

describe("who is one address", () => {
  it.each([
    ["203.0.113.7", "203.0.113.7"],
    ["::ffff:203.0.113.7", "203.0.113.7"],
    ["", ""],
    ["what is this", "what is this"],
    ["not:an:address", "not:an:address"],
  ])("%s counts as %s", (address, as) => {
    expect(limitedAs(address)).toBe(as);
  });

  it.each([
    ["203.0.113.7:40112", "203.0.113.7"],
    ["203.0.113.7", "203.0.113.7"],
    ["[2001:db8::1]:40112", "2001:db8::1"],
    ["2001:db8::1", "2001:db8::1"],
    ["a.host.example:80", ""],
    ["", ""],
  ])("a socket from %s is from %s", (text, address) => {
    expect(withoutPort(text)).toBe(address);
  });

  it("addresses of IPv6 count as their /64", () => {
    expect(limitedAs("2001:db8:1:2:3:4:5:6")).toBe(limitedAs("2001:db8:1:2::"));
    expect(limitedAs("2001:db8:1:2::1")).not.toBe(limitedAs("2001:db8:1:3::1"));
    expect(limitedAs("::ffff:203.0.113.7")).not.toBe(limitedAs("::ffff:203.0.113.8"));
  });
});
