/** How dead objects are found and what is done then. That workerd leaves such objects behind was seen on a full disk (docs/operations.md). */
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { Lives } from "../../scripts/local/lives.ts";
import { Watch } from "../../scripts/local/watch.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** The state of an object as far as it matters here. */
function state(name: string, sockets: number): DurableObjectState {
  const fake = { id: { name }, sockets: Array.from({ length: sockets }), getWebSockets: () => fake.sockets, abort: () => {} };
  return fake as unknown as DurableObjectState;
}

function asked(lives: Lives, answers: (name: string) => unknown = () => {}): Promise<string[]> {
  return lives.ask(async (name) => answers(name));
}

it("an object that lives is not taken for dead, nor one that slept, was woken by the end of its last socket, or asked for its reset", async () => {
  const lives = new Lives();
  const life = lives.begin(state("a", 0));
  life.called();
  life.sockets += 1;
  expect(await asked(lives, () => life.called())).toEqual([]);

  lives.begin(state("a", 1)).called();
  expect(await asked(lives)).toEqual([]);

  const woken = lives.begin(state("a", 0));
  woken.ended();
  woken.called();
  expect(await asked(lives)).toEqual([]);

  const aborted = state("b", 0);
  lives.begin(aborted).sockets += 1;
  aborted.abort("rows could not be written");
  lives.begin(state("b", 0)).called();
  expect(await asked(lives)).toEqual([]);

  // Long unused, it has lost its memory in good order, whatever was counted.
  lives.begin(state("c", 0)).sockets += 1;
  vi.advanceTimersByTime(10_000);
  lives.begin(state("c", 0)).called();
  expect(await asked(lives)).toEqual([]);
});

it("one whose next life has none of its sockets is told, once, also when it is asked before anybody comes", async () => {
  const lives = new Lives();
  lives.begin(state("a", 0)).sockets += 2;
  lives.begin(state("a", 0)).called();
  expect(await asked(lives)).toEqual(["a"]);
  expect(await asked(lives)).toEqual([]);

  lives.begin(state("b", 0)).sockets += 2;
  expect(await asked(lives, (name) => lives.begin(state(name, 0)).called())).toEqual(["b"]);
});

it("so is one that can't begin another life, or does not answer", async () => {
  const lives = new Lives();
  lives.begin(state("a", 0)).sockets += 1;
  lives.begin(state("b", 0)).sockets += 1;
  const answer = lives.ask((name) => (name === "a" ? Promise.reject(new Error("the disk is full")) : new Promise(() => {})));
  await vi.advanceTimersByTimeAsync(30_000);
  expect(await answer).toEqual(["a", "b"]);
});

function watching(answer: () => Promise<{ json(): Promise<unknown> }>) {
  const said: string[] = [];
  const watch = new Watch({
    path: "/data",
    look: undefined,
    token: "secret",
    fetch: answer,
    restart: () => said.push("restart"),
    log: (line) => said.push(line),
    notes: [],
  });
  return { watch, said };
}

it("the runtime is started again for them, and for its own silence, with a line for each", async () => {
  let lost = ["default/broker"];
  const dead = watching(async () => ({ json: async () => ({ lost: lost.splice(0) }) }));
  await vi.advanceTimersByTimeAsync(11_000);
  expect(dead.said).toEqual([expect.stringMatching(/^default\/broker stopped serving connections/), "restart"]);
  dead.watch.close();

  const silent = watching(() => new Promise(() => {}));
  await vi.advanceTimersByTimeAsync(65_000);
  expect(silent.said).toEqual([expect.stringMatching(/^the runtime stopped serving connections/), "restart"]);
  silent.watch.close();

  lost = [];
  const away = watching(() => Promise.reject(new Error("ECONNREFUSED")));
  await vi.advanceTimersByTimeAsync(60_000);
  expect(away.said).toEqual([]);
  away.watch.close();
});
