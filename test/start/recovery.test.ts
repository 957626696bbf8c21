/** Point-in-time recovery of a deployed broker, as far as it can be tried here: workerd on one's own machine keeps no earlier moments. */
import { execFile } from "node:child_process";
import { Miniflare } from "miniflare";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { bundleWorker, ROOT } from "../../scripts/build/bundle.ts";
import { COMPATIBILITY_DATE } from "../../scripts/local/local-broker.ts";
import { recover } from "../../src/objects/recovery.ts";

const TOKEN = "a-token-of-the-tests";

afterEach(() => void vi.restoreAllMocks());

describe("an object that is put back", () => {
  it.each([
    [1_800_000_000_000, "bookmark of 1800000000000"],
    ["a bookmark", "a bookmark"],
  ])("goes to the moment that was asked for, %s, tells how to undo it, and is reset after that", async (to, bookmark) => {
    vi.spyOn(console, "log").mockImplementation(() => {});
    const done: string[] = [];
    const state = {
      storage: {
        getBookmarkForTime: async (time: number | Date) => `bookmark of ${Number(time)}`,
        onNextSessionRestoreBookmark: async (next: string) => {
          done.push(next);
          return "the moment before";
        },
      },
      abort: () => void done.push("reset"),
    };
    let later: (() => void) | undefined;
    const runtime = {
      now: () => 0,
      incarnation: () => "",
      after: (_ms: number, run: () => void) => {
        later = run;
        return { cancel: () => {} };
      },
    };
    expect(await recover("default/broker", state, runtime, to)).toBe("the moment before");
    expect(done).toEqual([bookmark]);
    later!();
    expect(done).toEqual([bookmark, "reset"]);
  });
});

describe("the Worker that asks for it", () => {
  let miniflare: Miniflare;

  beforeAll(async () => {
    const worker = async (source: string) => [{ type: "ESModule" as const, path: "worker.js", contents: await bundleWorker(source) }];
    const objects = (scriptName?: string) => ({
      SESSIONS: { className: "SessionObject", useSQLite: true, ...(scriptName === undefined ? {} : { scriptName }) },
      TOPICS: { className: "TopicObject", useSQLite: true, ...(scriptName === undefined ? {} : { scriptName }) },
    });
    const shared = { compatibilityDate: COMPATIBILITY_DATE };
    miniflare = new Miniflare({
      workers: [
        {
          ...shared,
          name: "recovery",
          modules: await worker("scripts/recovery/worker.ts"),
          bindings: { TOKEN },
          durableObjects: objects("durable-mqtt"),
        },
        { ...shared, name: "durable-mqtt", modules: await worker("src/worker.ts"), durableObjects: objects() },
      ],
    });
  });
  afterAll(() => miniflare.dispose());

  async function ask(body: string, token = TOKEN): Promise<[number, string]> {
    const request = { method: "POST", headers: { Authorization: `Bearer ${token}` }, body };
    const response = await miniflare.dispatchFetch("http://recovery/", request);
    return [response.status, await response.text()];
  }

  it("reaches objects of both kinds by their names, with the token only", async () => {
    for (const object of ["default/broker", "default/topic/0"]) {
      const [status, said] = await ask(JSON.stringify({ object, to: "2026-11-28T12:00:00Z" }));
      expect([status, said]).toEqual([502, expect.stringMatching(new RegExp(`^${object} could not go back: .*point-in-time`, "i"))]);
    }
    expect((await ask("{}"))[0]).toBe(400);
    expect((await ask("no JSON"))[0]).toBe(400);
    expect((await ask("{}", "another token"))[0]).toBe(401);
  });

  it("is deployed by the command in the documents", async () => {
    const args = ["deploy", "--config", "scripts/recovery/wrangler.toml", "--var", `TOKEN:${TOKEN}`, "--dry-run"];
    const said = await new Promise<string>((resolve, reject) => {
      execFile("npx", ["wrangler", ...args], { cwd: ROOT, env: { ...process.env, CI: "true" } }, (error, stdout, stderr) =>
        error === null ? resolve(stdout + stderr) : reject(new Error(stdout + stderr)),
      );
    });
    expect(said).toMatch(/SessionObject, defined in durable-mqtt/);
  });
});
