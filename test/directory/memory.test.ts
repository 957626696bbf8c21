/** What an isolate remembers of directories, and for how long. */

import { describe, expect, test } from "vitest";
import type { Looked } from "../../src/directory/news.ts";
import {
  DIRECTORIES_REMEMBERED_MAX,
  DIRECTORY_CALL_MS,
  DIRECTORY_FRESH_MS,
  DIRECTORY_REMEMBERED_MAX,
  USER_NAME_BYTES_MAX,
} from "../../src/login-limits.ts";
import { DirectoryMemory } from "../../src/objects/directory-memory.ts";
import type { Runtime } from "../../src/runtime.ts";

const BANS = [{ kind: "clientid", who: "c", by: "", reason: "", at: 0, until: Number.POSITIVE_INFINITY }] as const;

function world() {
  const asked: [userName: string | undefined, knownBans: number][] = [];
  const state = {
    now: 1_000_000,
    answer: {
      version: 1,
      bans: { version: 1, bans: BANS },
      isEmpty: false,
      user: { password: "p", grants: "{}" },
      like: undefined,
    } as Looked,
  };
  const timers: (() => void)[] = [];
  const runtime: Runtime = {
    now: () => state.now,
    after: (ms, run) => {
      expect(ms).toBe(DIRECTORY_CALL_MS);
      timers.push(run);
      return { cancel: () => void timers.splice(timers.indexOf(run), 1) };
    },
    incarnation: () => "1",
  };
  let answer = async (): Promise<Looked> => state.answer;
  const memory = new DirectoryMemory(
    () => ({
      look: (userName, knownBans) => {
        asked.push([userName, knownBans]);
        return answer();
      },
    }),
    runtime,
  );
  return { asked, state, timers, memory, answerBy: (by: () => Promise<Looked>) => (answer = by) };
}

const isBanned = (known: Awaited<ReturnType<DirectoryMemory["look"]>>): boolean =>
  known.bans.find({ clientId: "c", userNames: [], address: "" }, 0) !== undefined;

describe("an isolate", () => {
  test("asks for nobody by a name that is longer than any user's", async () => {
    const { asked, memory } = world();
    await memory.look("n", "u".repeat(USER_NAME_BYTES_MAX));
    await memory.look("n", "u".repeat(USER_NAME_BYTES_MAX + 1));
    expect(asked).toEqual([["u".repeat(USER_NAME_BYTES_MAX), -1]]);
  });

  test("asks once for each user in the stated time, and for bans only if they are others", async () => {
    const { asked, state, memory } = world();
    for (const user of ["ada", "ada", "bob", undefined]) expect(isBanned(await memory.look("n", user))).toBe(true);
    expect(asked).toEqual([
      ["ada", -1],
      ["bob", 1],
    ]);
    state.answer = { ...state.answer, bans: undefined };
    state.now += DIRECTORY_FRESH_MS;
    expect(isBanned(await memory.look("n", "ada"))).toBe(true);
    expect(asked.at(-1)).toEqual(["ada", 1]);
    await memory.look("other", "ada");
    expect(asked.at(-1)).toEqual(["ada", -1]);
  });

  test("knows at once what it is told, and forgets who was changed; an older answer is not kept", async () => {
    const { asked, memory, state } = world();
    await memory.look("n", "ada");
    memory.take("n", {
      version: 3,
      bans: { version: 3, bans: [] },
      users: [{ user: "ada", version: 3, credential: undefined, grants: undefined }],
    });
    expect(isBanned(await memory.look("n", undefined))).toBe(false);
    // Of before it was told.
    const user = { password: "p", grants: "{}" };
    state.answer = { version: 2, bans: undefined, isEmpty: false, user, like: undefined };
    expect(await memory.look("n", "ada")).toMatchObject({ user });
    await memory.look("n", "ada");
    expect(asked).toHaveLength(3);
    state.answer = { ...state.answer, version: 3 };
    await memory.look("n", "ada");
    await memory.look("n", "ada");
    expect(asked).toHaveLength(4);
  });

  test("forgets who was changed also when it has heard of the change in an answer about another one", async () => {
    const { asked, memory, state } = world();
    await memory.look("n", "ada");
    state.answer = { ...state.answer, version: 3 };
    await memory.look("n", "bob");
    memory.take("n", { version: 3, bans: undefined, users: [{ user: "ada", version: 3, credential: undefined, grants: undefined }] });
    await memory.look("n", "ada");
    memory.take("n", { version: 2, bans: { version: 0, bans: [] }, users: [] });
    expect(isBanned(await memory.look("n", "ada"))).toBe(true);
    expect(asked.map(([user]) => user)).toEqual(["ada", "bob", "ada"]);
  });

  test("keeps whom it has asked for when it is told of what the answer knew already: each object that wakes is told so", async () => {
    const { asked, memory, state } = world();
    state.answer = { ...state.answer, version: 3 };
    await memory.look("n", "ada");
    const change = { user: "ada", credential: 1, grants: "{}" };
    memory.take("n", { version: 3, bans: undefined, users: [{ ...change, version: 3 }] });
    await memory.look("n", "ada");
    expect(asked).toHaveLength(1);
    memory.take("n", { version: 4, bans: undefined, users: [{ ...change, version: 4 }] });
    state.answer = { ...state.answer, version: 4 };
    await memory.look("n", "ada");
    expect(asked).toHaveLength(2);
  });

  test("asks each time for who is not there: it may have been added", async () => {
    const { asked, memory, state } = world();
    state.answer = { ...state.answer, user: undefined, like: "like" };
    for (let time = 0; time < 3; time += 1) expect(await memory.look("n", "ada")).toMatchObject({ user: undefined, like: "like" });
    expect(asked).toHaveLength(3);
  });

  test("lets nobody wait for ever, and keeps nothing of what failed", async () => {
    const { asked, memory, answerBy, timers, state } = world();
    answerBy(() => new Promise(() => {}));
    const looking = memory.look("n", "ada");
    timers[0]!();
    await expect(looking).rejects.toThrow("no answer within");
    answerBy(async () => state.answer);
    await memory.look("n", "ada");
    expect([asked.length, timers.length]).toEqual([2, 0]);
  });

  test("remembers so many users of all namespaces and no more, those that were asked for", async () => {
    const { asked, memory } = world();
    const isKnown = async (namespace: string, user: string): Promise<boolean> => {
      const before = asked.length;
      await memory.look(namespace, user);
      return asked.length === before;
    };
    for (let index = 0; index <= DIRECTORY_REMEMBERED_MAX; index += 1) {
      await memory.look(index % 2 === 0 ? "n" : "m", `u${index}`);
      if (index % 1000 === 0) await memory.look("n", "u0");
    }
    expect([await isKnown("n", "u0"), await isKnown("m", "u9999"), await isKnown("m", "u1")]).toEqual([true, true, false]);
    expect(await isKnown("m", "u0")).toBe(false);
  });

  test("does not keep who is not told of any more: a place that was forgotten while it was asked", async () => {
    const { asked, memory, state, answerBy } = world();
    let told: (looked: Looked) => void = () => {};
    await memory.look("n", "bob");
    answerBy(
      () =>
        new Promise((resolve) => {
          told = resolve;
        }),
    );
    const looking = memory.look("n", "ada");
    const { answer } = state;
    answerBy(async () => answer);
    for (let index = 0; index < 2 * DIRECTORIES_REMEMBERED_MAX; index += 1) await memory.look(`n${index}`, undefined);
    told({ ...answer, bans: undefined });
    expect(isBanned(await looking)).toBe(true);
    expect(isBanned(await memory.look("n", "ada"))).toBe(true);
    expect(asked.slice(-1)).toEqual([["ada", -1]]);
  });
});
