/** How a Session object judges logins by what it was told, and what it asks. */

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, test, vi } from "vitest";
import { NO_DIRECTORY } from "../../src/auth/directory-settings.ts";
import type { Ban } from "../../src/directory/bans.ts";
import { withCredential } from "../../src/directory/grants.ts";
import type { News, Presence, UserNews } from "../../src/directory/news.ts";
import { DIRECTORY_CHANGES_MS } from "../../src/login-limits.ts";
import type { DirectoryCalls } from "../../src/objects/calls.ts";
import { DirectoryMemory } from "../../src/objects/directory-memory.ts";
import { DirectoryWatch } from "../../src/objects/directory-watch.ts";
import type { Runtime } from "../../src/runtime.ts";
import { type Admission, NOBODY } from "../../src/session/ports.ts";
import { connect } from "../auth/support.ts";

setFlagsFromString("--expose-gc");
const collectGarbage: () => void = runInNewContext("gc");

const RIGHTS = '{"acl":[]}';

function news(version: number, more: Partial<News> = {}): News {
  return { version, bans: undefined, users: [], ...more };
}

function bans(version: number, ...who: string[]): Pick<News, "bans"> {
  const all = who.map((name): Ban => ({ kind: "clientid", who: name, by: "", reason: "", at: 0, until: Number.POSITIVE_INFINITY }));
  return { bans: { version, bans: all } };
}

function changed(version: number, credential: number | undefined, rights = RIGHTS): UserNews {
  return { user: "ada", version, credential, grants: credential === undefined ? undefined : withCredential(rights, credential) };
}

const ada = (credential: number, rights = RIGHTS): Admission => ({
  ...NOBODY,
  userName: "ada",
  grants: withCredential(rights, credential),
});

function setup(options: { isOneClients?: boolean; flapping?: { count: number; windowMs: number; banMs: number } } = {}) {
  const state = { now: 1_000_000, recent: news(1, bans(0)) };
  const asked: (Presence | undefined)[] = [];
  const put: Ban[] = [];
  const answers = { ask: async (): Promise<News> => state.recent, putBan: async (): Promise<string | undefined> => undefined };
  const runtime: Runtime = { now: () => state.now, after: () => ({ cancel: () => {} }), incarnation: () => "1" };
  const calls = {
    recent: () => {
      asked.push(undefined);
      return answers.ask();
    },
    enter: (presence: Presence) => {
      asked.push(presence);
      return answers.ask();
    },
    putBan: (ban: Ban) => {
      put.push(ban);
      return answers.putBan();
    },
  } as unknown as DirectoryCalls;
  const settings = { ...NO_DIRECTORY, adminToken: "x", flapping: options.flapping ?? NO_DIRECTORY.flapping };
  const service = { settings, memory: new DirectoryMemory(() => calls, runtime), of: () => calls };
  const watch = new DirectoryWatch({
    service,
    namespace: "n",
    object: "n/session/0",
    isOneClients: options.isOneClients ?? false,
    runtime,
  });
  const admit = async (clientId: string, admission: Admission): Promise<number | string> => {
    const answer = await watch.admit(connect(undefined, undefined, clientId), admission);
    return "reasonCode" in answer ? answer.reasonCode : answer.grants;
  };
  return { watch, state, asked, put, answers, admit };
}

describe("a Session object", () => {
  test("asks once when it has woken, and then goes by what it is told", async () => {
    const { watch, state, asked, admit } = setup();
    state.recent = news(1, bans(1, "evil"));
    expect([await admit("evil", NOBODY), await admit("good", NOBODY)]).toEqual([0x8a, ""]);
    watch.learn(news(2, bans(2, "good")));
    expect([await admit("evil", NOBODY), await admit("good", NOBODY)]).toEqual(["", 0x8a]);
    expect(asked).toHaveLength(1);
  });

  test("asks on until it has all", async () => {
    const { answers, asked, admit } = setup();
    const pages = [
      news(8, { ...bans(8), users: [{ ...changed(8, undefined), user: "bob" }], next: "bob" }),
      news(8, { users: [changed(8, 8)] }),
    ];
    answers.ask = async () => pages.shift()!;
    expect([await admit("c", ada(7)), await admit("c", ada(8)), asked.length]).toEqual([0x86, withCredential(RIGHTS, 8), 2]);
  });

  test("asks also where it was told first: that may have been under way since before it lost its memory", async () => {
    const { watch, state, asked, admit } = setup();
    state.recent = news(2, bans(2, "evil"));
    watch.learn(news(1, bans(1)));
    expect([await admit("evil", NOBODY), await admit("good", NOBODY), asked.length]).toEqual([0x8a, "", 1]);
  });

  test("asks each time where it is one client's, and says where that is", async () => {
    const { asked, admit } = setup({ isOneClients: true });
    await admit("c", { ...ada(1), address: "::1" });
    await admit("c", NOBODY);
    expect(asked).toEqual([
      { object: "n/session/0", clientId: "c", userName: "ada", address: "::1" },
      { object: "n/session/0", clientId: "c", userName: undefined, address: "" },
    ]);
  });

  test("says nothing of one who was here before behind one who has come since", async () => {
    const { answers, asked, admit, watch } = setup({ isOneClients: true });
    await admit("c", { ...NOBODY, address: "::a" });
    const slow: ((answer: News) => void)[] = [];
    answers.ask = () => new Promise((answer) => void slow.push(answer));
    const refused = admit("c", { ...NOBODY, address: "::b" });
    const again = watch.sayAgain("c", { userName: undefined, address: "::a" });
    answers.ask = async () => news(2);
    await admit("c", { ...NOBODY, address: "::c" });
    slow[0]!(news(2));
    await refused;
    expect(await again).toBeUndefined();
    expect(asked.map((presence) => presence?.address)).toEqual(["::a", "::b", "::c"]);
    // It is still said of whom it is to be said.
    expect(await watch.sayAgain("c", { userName: undefined, address: "::a" })).toEqual(news(2));
    expect(asked.at(-1)?.address).toBe("::a");
  });

  test("holds on to no answer that it has taken", async () => {
    const { answers, admit } = setup({ isOneClients: true });
    const given: WeakRef<News>[] = [];
    answers.ask = async () => {
      const answer = news(given.length + 1, bans(given.length + 1));
      given.push(new WeakRef(answer));
      return answer;
    };
    for (let time = 0; time < 50; time += 1) await admit("c", NOBODY);
    // A turn of the event loop later no WeakRef that was read keeps anything.
    await new Promise((next) => setTimeout(next));
    collectGarbage();
    expect(given.filter((answer) => answer.deref() !== undefined).length).toBeLessThan(5);
  });

  test("lets nobody in while it can't ask, and asks again", async () => {
    const { answers, state, admit } = setup();
    answers.ask = () => Promise.reject(new Error("out of reach"));
    await expect(admit("c", NOBODY)).rejects.toThrow();
    answers.ask = async () => state.recent;
    expect(await admit("c", NOBODY)).toBe("");
  });

  test("gives a login under way the rights of now, refuses one with an older password, and knows no better of a newer one", async () => {
    const { watch, admit, state } = setup();
    await admit("c", NOBODY);
    watch.learn(news(7, { users: [changed(7, 5, '{"superuser":true}')] }));
    const now = withCredential('{"superuser":true}', 5);
    expect([await admit("c", ada(4)), await admit("c", ada(5)), await admit("c", ada(8))]).toEqual([0x86, now, ada(8).grants]);
    // By token, or of USERS.
    expect(await admit("c", { ...NOBODY, userName: "ada", grants: "{}" })).toBe("{}");
    watch.learn(news(8, { users: [changed(8, undefined)] }));
    expect(await admit("c", ada(5))).toBe(0x86);
    state.now += DIRECTORY_CHANGES_MS;
    expect(await admit("c", ada(5))).toBe(ada(5).grants);
  });

  test("takes nothing back when an older answer comes late", async () => {
    const { watch, admit } = setup();
    watch.learn(news(7, { ...bans(7, "evil"), users: [changed(7, 7)] }));
    watch.learn(news(3, { ...bans(3), users: [changed(3, 3)] }));
    expect([await admit("evil", NOBODY), await admit("c", ada(3)), await admit("c", ada(7))]).toEqual([0x8a, 0x86, ada(7).grants]);
  });

  test("has a client banned that connects too often, and goes on where the directory is out of reach", async () => {
    const { watch, put, answers } = setup({ flapping: { count: 2, windowMs: 60_000, banMs: 300_000 } });
    const log = vi.spyOn(console, "log").mockImplementation(() => {});
    answers.putBan = () => Promise.reject(new Error("out of reach"));
    for (let time = 0; time < 4; time += 1) watch.connected("c");
    expect(put).toMatchObject([{ kind: "clientid", who: "c", by: "flapping", at: 1_000_000, until: 1_300_000 }]);
    await vi.waitFor(() => expect(log).toHaveBeenCalledTimes(2));
    expect(log.mock.calls.join("\n")).toContain("a ban could not be kept");
    log.mockRestore();
  });
});
