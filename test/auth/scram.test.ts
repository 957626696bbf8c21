import { pbkdf2Sync } from "node:crypto";
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { FailedLogins } from "../../src/auth/failed-logins.ts";
import { NO_RULES } from "../../src/auth/rules.ts";
import { Credentials, ScramAuthenticator, ScramExchange } from "../../src/auth/scram.ts";
import { parseClientFinal, parseClientFirst, ScramProblem } from "../../src/auth/scram-message.ts";
import type { User } from "../../src/auth/users.ts";
import { NO_BANS } from "../../src/directory/bans.ts";
import type { Known } from "../../src/directory/ports.ts";
import { parseRate } from "../../src/rate.ts";
import { PLATFORM } from "../../src/runtime.ts";
import type { AuthenticationExchange, AuthenticationStep } from "../../src/session/ports.ts";
import { SCRAM_SHA_256, ScramClient, type ScramClientOptions } from "../support/scram-client.ts";
import { CALLER, quickHash, UNCOUNTED, utf8 } from "./support.ts";

const WRONG = { reasonCode: 0x87, message: "The user name or the password is not right." };
const REFUSAL = { reasonCode: 0x87, message: expect.any(String) };

let users: User[];
beforeAll(async () => {
  users = [
    { user: "ada", password: await quickHash("lovelace"), acl: NO_RULES },
    { user: "a=b,c", password: await quickHash("comma"), acl: NO_RULES },
    { user: "Zoë", password: await quickHash("naïve"), acl: NO_RULES },
  ];
});

function begin(): AuthenticationExchange {
  const exchange = new ScramAuthenticator(users, UNCOUNTED).begin(SCRAM_SHA_256, "c", CALLER);
  if (exchange === undefined) throw new Error("the method was expected to be known");
  return exchange;
}

const text = (step: AuthenticationStep): string => ("data" in step ? new TextDecoder().decode(step.data) : "");

/** A whole exchange. */
async function run(userName: string, password: string, options?: ScramClientOptions): Promise<[AuthenticationStep, ScramClient]> {
  const exchange = begin();
  const client = new ScramClient(userName, password, options);
  const challenge = await exchange.step(client.first());
  if (!("kind" in challenge) || challenge.kind !== "continue") return [challenge, client];
  return [await exchange.step(await client.final(challenge.data)), client];
}

/** The answer to a first message. */
const first = async (message: string): Promise<AuthenticationStep> => begin().step(utf8(message));

describe("the example of RFC 7677", () => {
  const salt = "W22ZaJ0SNY7soEsUEjb6gQ==";
  const clientFirst = "n,,n=user,r=rOprNGfwEbeRWgbNEkqO";
  const serverFirst = `r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=${salt},i=4096`;
  const clientFinal = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
  const serverFinal = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";

  test("the broker's side", async () => {
    const hash = pbkdf2Sync("pencil", Buffer.from(salt, "base64"), 4096, 32, "sha256").toString("base64");
    const user = { user: "user", password: `pbkdf2-sha256$4096$${salt}$${hash}`, acl: NO_RULES };
    const exchange = new ScramExchange(new Credentials([user]), "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0", CALLER, UNCOUNTED);
    const challenge = await exchange.step(utf8(clientFirst));
    expect(challenge).toMatchObject({ kind: "continue" });
    expect(text(challenge)).toBe(serverFirst);
    const last = await exchange.step(utf8(clientFinal));
    expect(last).toMatchObject({ kind: "success", identity: { userName: "user" } });
    expect(text(last)).toBe(serverFinal);
  });

  test("the side of the tests' client", async () => {
    const client = new ScramClient("user", "pencil", { nonce: "rOprNGfwEbeRWgbNEkqO" });
    expect(Buffer.from(client.first()).toString()).toBe(clientFirst);
    expect(Buffer.from(await client.final(utf8(serverFirst))).toString()).toBe(clientFinal);
    expect(client.verify(utf8(serverFinal))).toBe(true);
    expect(client.verify(utf8(serverFinal.replace("6", "7")))).toBe(false);
  });
});

describe("who is let in", () => {
  test("a user with the password, by the hash in USERS; the broker proves that it has the hash", async () => {
    for (const [userName, password] of [
      ["ada", "lovelace"],
      ["a=b,c", "comma"],
      ["Zoë", "naïve"],
    ] as const) {
      const [last, client] = await run(userName, password);
      expect(last).toMatchObject({ kind: "success", identity: { userName } });
      expect(client.verify("data" in last ? last.data : undefined)).toBe(true);
    }
  });

  test("a client that could bind to the channel but takes this broker for one that can't (y,,)", async () => {
    expect((await run("ada", "lovelace", { gs2Header: "y,," }))[0]).toMatchObject({ kind: "success" });
  });

  test("a client that names itself as authzid", async () => {
    expect((await run("ada", "lovelace", { gs2Header: "n,a=ada," }))[0]).toMatchObject({ kind: "success" });
    expect((await run("a=b,c", "comma", { gs2Header: "n,a=a=3Db=2Cc," }))[0]).toMatchObject({ kind: "success" });
  });

  test("a client that sent nothing with CONNECT is asked to begin, once", async () => {
    const exchange = begin();
    expect(await exchange.step(new Uint8Array(0))).toEqual({ kind: "continue", data: new Uint8Array(0) });
    const client = new ScramClient("ada", "lovelace");
    const challenge = await exchange.step(client.first());
    expect(await exchange.step(await client.final("data" in challenge ? challenge.data : undefined))).toMatchObject({ kind: "success" });

    const silent = begin();
    await silent.step(new Uint8Array(0));
    expect(await silent.step(new Uint8Array(0))).toEqual(REFUSAL);
  });

  test("optional extensions are ignored", async () => {
    expect(await first("n,,n=ada,r=abc,x=1,Y=more")).toMatchObject({ kind: "continue" });
    expect(parseClientFinal(utf8("c=biws,r=abc,x=1,p=AAAA"))).toMatchObject({ withoutProof: "c=biws,r=abc,x=1", nonce: "abc" });
  });

  test("only the method of that exact name is known", () => {
    const authenticator = new ScramAuthenticator(users, UNCOUNTED);
    for (const method of ["SCRAM-SHA-1", "SCRAM-SHA-256-PLUS", "scram-sha-256", ""])
      expect(authenticator.begin(method, "c", CALLER)).toBeUndefined();
    expect(authenticator.methods).toEqual([SCRAM_SHA_256]);
  });
});

describe("who is refused", () => {
  test("a wrong password and an unknown user, after the same exchange and in the same words", async () => {
    for (const [userName, password] of [
      ["ada", "Lovelace"],
      ["ada", ""],
      ["Ada", "lovelace"],
      ["eve", "lovelace"],
      ["__proto__", "lovelace"],
    ] as const) {
      expect((await run(userName, password))[0], userName).toEqual(WRONG);
    }
  });

  test("channel binding, foreign authzid, mandatory extensions", async () => {
    expect(await first("p=tls-exporter,,n=ada,r=abc")).toMatchObject({
      reasonCode: 0x87,
      message: expect.stringMatching(/channel binding/),
    });
    expect(await first("n,a=bob,n=ada,r=abc")).toMatchObject({ reasonCode: 0x87, message: expect.stringMatching(/authzid/) });
    expect(await first("n,,m=x,n=ada,r=abc")).toMatchObject({ reasonCode: 0x87, message: expect.stringMatching(/extension/) });
  });

  test("first messages without the form", async () => {
    for (const message of [
      "n=ada,r=abc",
      ",,n=ada,r=abc",
      "x,,n=ada,r=abc",
      "n,a=,n=ada,r=abc",
      "n,,n=,r=abc",
      "n,,n=ada,r=",
      "n,,n=ada",
      "n,,r=abc,n=ada",
      "n,,n=a=b,r=abc",
      "n,,n=a=2c,r=abc",
      "n,,n=ada,r=a bc",
      "n,,n=ada,r=abc,",
      "n,,n=ada,r=abc,xx",
      "n,,n=ada,r=ab\u00e9",
      "n,,n=a\0da,r=abc",
      `n,,n=ada,r=${"a".repeat(5000)}`,
    ]) {
      expect(await first(message), message.slice(0, 40)).toEqual(REFUSAL);
    }
    expect(await begin().step(new Uint8Array([0x6e, 0x2c, 0x2c, 0x6e, 0x3d, 0xff, 0x2c, 0x72, 0x3d, 0x61]))).toEqual(REFUSAL);
  });

  test("last messages with another binding, another nonce, no proof or a proof of another length", async () => {
    const changes: readonly ((message: string) => string)[] = [
      (message) => message.replace("c=biws", `c=${btoa("y,,")}`),
      (message) => message.replace("r=", "r=x"),
      (message) => message.replace(/,p=.*/, ""),
      (message) => message.replace(/,p=.*/, ",p="),
      (message) => message.replace(/,p=.*/, ",p=AAAA"),
      (message) => message.replace(/,p=.*/, ",p=!!!!"),
      (message) => `${message}AAAA`,
      () => "",
    ];
    for (const change of changes) {
      const exchange = begin();
      const client = new ScramClient("ada", "lovelace");
      const challenge = await exchange.step(client.first());
      const final = new TextDecoder().decode(await client.final("data" in challenge ? challenge.data : undefined));
      expect(await exchange.step(utf8(change(final))), change(final)).toEqual(REFUSAL);
    }
  });

  test("another binding or another nonce, also when the proof is right for what it says", async () => {
    const binding = (message: string): string => message.replace("c=biws", `c=${btoa("y,,")}`);
    expect((await run("ada", "lovelace", { tamper: binding }))[0]).toMatchObject({
      reasonCode: 0x87,
      message: expect.stringMatching(/channel binding/),
    });
    const longer = (message: string): string => `${message}x`;
    expect((await run("ada", "lovelace", { tamper: longer }))[0]).toMatchObject({
      reasonCode: 0x87,
      message: expect.stringMatching(/nonce/),
    });
    const ofClientAlone = (message: string): string => message.replace(/r=.*/, "r=abc");
    expect((await run("ada", "lovelace", { nonce: "abc", tamper: ofClientAlone }))[0]).toMatchObject({
      reasonCode: 0x87,
      message: expect.stringMatching(/nonce/),
    });
  });

  test("an unknown user, even with what the broker itself would take for the hash", async () => {
    const { passwordHash } = await new Credentials(users).of("eve", "default");
    expect((await run("eve", "", { saltedPassword: passwordHash.hash }))[0]).toEqual(WRONG);
    const { passwordHash: ofAda } = await new Credentials(users).of("ada", "default");
    expect((await run("ada", "", { saltedPassword: ofAda.hash }))[0]).toMatchObject({ kind: "success" });
  });

  test("a proof is good for one exchange only", async () => {
    const exchange = begin();
    const client = new ScramClient("ada", "lovelace");
    const challenge = await exchange.step(client.first());
    const final = await client.final("data" in challenge ? challenge.data : undefined);
    const replayed = begin();
    await replayed.step(client.first());
    expect(await replayed.step(final)).toEqual(REFUSAL);
  });
});

describe("a stranger can't find out who exists", () => {
  const challengeOf = async (among: readonly User[], userName: string): Promise<RegExpExecArray> => {
    const exchange = new ScramAuthenticator(among, UNCOUNTED).begin(SCRAM_SHA_256, "c", CALLER)!;
    return /^r=abc(.+),s=(.+),i=(\d+)$/.exec(text(await exchange.step(utf8(`n,,n=${userName},r=abc`))))!;
  };

  test("an unknown name has a salt like a user's, the same every time and everywhere, and another one than other names", async () => {
    const [, nonce, salt, iterations] = await challengeOf(users, "eve");
    const [, otherNonce, again] = await challengeOf(structuredClone(users), "eve");
    const [, , ofAda, iterationsOfAda] = await challengeOf(users, "ada");
    const [, , ofBob] = await challengeOf(users, "bob");
    expect(again).toBe(salt);
    expect(otherNonce).not.toBe(nonce);
    expect(salt).toHaveLength(ofAda!.length);
    expect(iterations).toBe(iterationsOfAda);
    expect(ofBob).not.toBe(salt);
    const [, , elsewhere] = await challengeOf(users.slice(1), "eve");
    expect(elsewhere).not.toBe(salt);
  });

  test("where users differ in iterations and salt length, strangers do as well", async () => {
    const salt = Buffer.alloc(64, 1).toString("base64");
    const mixed = [users[0]!, { ...users[1]!, password: `pbkdf2-sha256$50000$${salt}$${Buffer.alloc(32).toString("base64")}` }];
    const shapes = new Set<string>();
    for (let i = 0; i < 40; i += 1) {
      const [, , found, iterations] = await challengeOf(mixed, `stranger${i}`);
      shapes.add(`${iterations} ${found!.length}`);
    }
    expect(shapes).toEqual(new Set(["1000 24", "50000 88"]));
  });

  test("without any user there is still a challenge", async () => {
    const [, , salt, iterations] = await challengeOf([], "eve");
    expect([salt!.length, iterations]).toEqual([24, "100000"]);
  });
});

describe("garbage", () => {
  const mutated = fc
    .tuple(
      fc.constantFrom<string[]>("n,,n=ada,r=abc", "n,a=ada,n=ada,r=abc,x=1", "c=biws,r=abc,p=AAAA"),
      fc.array(fc.tuple(fc.nat(40), fc.string())),
    )
    .map(([message, changes]) => changes.reduce((found, [at, insert]) => found.slice(0, at) + insert + found.slice(at + 1), message));
  const message = fc.oneof(fc.uint8Array({ maxLength: 300 }), mutated.map(utf8));

  test("never throws, is never success", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(message, { minLength: 1, maxLength: 3 }), async (messages) => {
        const exchange = begin();
        for (const bytes of messages) {
          const step = await exchange.step(bytes);
          expect("kind" in step && step.kind === "success").toBe(false);
          if ("reasonCode" in step) return;
        }
      }),
    );
  });

  test("what is wrong with it is told without repeating it", () => {
    fc.assert(
      fc.property(message, (bytes) => {
        for (const parsed of [parseClientFirst(bytes), parseClientFinal(bytes)]) {
          if (parsed instanceof ScramProblem) expect(parsed.message).toMatch(/^(The|To act|SCRAM with|A mandatory) [A-Za-z0-9 ,=()-]+\.?$/);
        }
      }),
    );
  });
});

describe("guesses", () => {
  const counted = () => new FailedLogins(parseRate("3/1h")!, PLATFORM, () => {});
  const HERE = { ...CALLER, address: "192.0.2.1" };

  /** What a login ends with. */
  async function login(authenticator: ScramAuthenticator, userName: string, password: string, caller = HERE): Promise<number> {
    const exchange = authenticator.begin(SCRAM_SHA_256, "c", caller)!;
    const client = new ScramClient(userName, password);
    const challenge = await exchange.step(client.first());
    if ("reasonCode" in challenge) return challenge.reasonCode;
    const last = await exchange.step(await client.final((challenge as { readonly data: Uint8Array }).data));
    return "reasonCode" in last ? last.reasonCode : 0;
  }

  test("of an address are bounded, whoever they are for: then nobody is asked for a proof there", async () => {
    const authenticator = new ScramAuthenticator(users, counted());
    const names = ["ada", "Zoë", "nobody", "ada", "someone"];
    const codes: number[] = [];
    for (const name of names) codes.push(await login(authenticator, name, "wrong"));
    expect(codes).toEqual([0x87, 0x87, 0x87, 0x9f, 0x9f]);
    expect(await login(authenticator, "ada", "lovelace")).toBe(0x9f);
    expect(await login(authenticator, "ada", "lovelace", { ...HERE, address: "192.0.2.2" })).toBe(0);
  });

  test("are no more when they come at once, and all who are right are let in", async () => {
    const guessing = new ScramAuthenticator(users, counted());
    const codes = await Promise.all(Array.from({ length: 30 }, (_, index) => login(guessing, `${index % 4}`, "wrong")));
    expect(codes.filter((code) => code === 0x87)).toHaveLength(3);
    expect(new Set(codes)).toEqual(new Set([0x87, 0x9f]));
    const right = new ScramAuthenticator(users, counted());
    expect(await Promise.all(Array.from({ length: 8 }, () => login(right, "ada", "lovelace")))).toEqual(Array(8).fill(0));
  });

  test("are none while the directory is out of reach: nobody was asked for a proof", async () => {
    let isThere = false;
    const look = async (): Promise<Known> => {
      if (!isThere) throw new Error("out of reach");
      return { bans: NO_BANS, isEmpty: true, user: undefined, like: undefined };
    };
    const authenticator = new ScramAuthenticator(users, counted(), { look });
    for (let index = 0; index < 5; index += 1) await expect(login(authenticator, "ada", "lovelace")).rejects.toThrow("out of reach");
    isThere = true;
    expect(await login(authenticator, "ada", "lovelace")).toBe(0);
  });

  test("are those too that end with the challenge, of users and of others alike", async () => {
    for (const userName of ["ada", "nobody"]) {
      const authenticator = new ScramAuthenticator(users, counted());
      for (let index = 0; index < 3; index += 1) {
        const leaving: (() => void)[] = [];
        const whenGone = (run: () => void): void => void leaving.push(run);
        const exchange = authenticator.begin(SCRAM_SHA_256, "c", { ...HERE, whenGone })!;
        expect(await exchange.step(new ScramClient(userName, "x").first())).toMatchObject({ kind: "continue" });
        for (const leave of leaving) leave();
      }
      expect(await login(authenticator, "ada", "lovelace")).toBe(0x9f);
    }
  });
});
