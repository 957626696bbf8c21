/**
 * The workerd process behind a Miniflare, which Miniflare itself does not show: to kill it as a crash would, and to end it when this
 * process is killed (otherwise it would live on and keep the port and the storage).
 */
import { type ChildProcess, spawn } from "node:child_process";
import { subscribe } from "node:diagnostics_channel";
import type { Miniflare } from "miniflare";

export interface RuntimeProcess {
  /** Of the workerd that runs now. */
  readonly id: number | undefined;
  /** Kills workerd without warning; Miniflare starts another one at once. */
  kill(): void;
  /** To be called when Miniflare has been disposed. */
  forget(): void;
}

type Started = (child: ChildProcess) => void;

/** Who waits for the first workerd of a Miniflare, and who follows which Miniflare (by the address that it gives its runtimes). */
let newcomer: Started | undefined;
const followers = new Map<string, Started>();

subscribe("child_process", (message) => {
  const { process: child } = message as { process: ChildProcess };
  child.once("spawn", () => {
    const address = child.spawnargs.find((argument) => argument.startsWith("--external-addr="));
    if (address === undefined) return;
    if (newcomer !== undefined) followers.set(address, newcomer);
    newcomer = undefined;
    followers.get(address)?.(child);
  });
});

/** Starts in this process go one after another, so that a new child belongs to the Miniflare that is starting. */
let turn: Promise<unknown> = Promise.resolve();

/**
 * Creates a Miniflare and waits until it serves.
 * @returns it and its runtime process, which stays the right one over restarts
 */
export function startRuntime(create: () => Miniflare): Promise<{ miniflare: Miniflare; runtime: RuntimeProcess }> {
  const start = turn.then(() => begin(create));
  turn = start.catch(() => {});
  return start;
}

async function begin(create: () => Miniflare): Promise<{ miniflare: Miniflare; runtime: RuntimeProcess }> {
  let workerd: ChildProcess | undefined;
  let guard: ChildProcess | undefined;
  const follow: Started = (child) => {
    guard?.kill("SIGKILL");
    workerd = child;
    guard = guardOf(child);
  };
  newcomer = follow;
  const miniflare = create();
  const forget = (): void => {
    guard?.kill("SIGKILL");
    for (const [address, follower] of followers) if (follower === follow) followers.delete(address);
  };
  try {
    await miniflare.ready;
  } catch (error) {
    await miniflare.dispose().catch(() => {});
    forget();
    throw error;
  }
  const runtime: RuntimeProcess = {
    get id() {
      return workerd?.pid;
    },
    kill: () => void workerd?.kill("SIGKILL"),
    forget,
  };
  return { miniflare, runtime };
}

/** A shell that waits on a pipe which only the death of this process closes, and then kills the runtime. */
function guardOf(child: ChildProcess): ChildProcess | undefined {
  if (process.platform === "win32") return undefined;
  const guard = spawn("/bin/sh", ["-c", `read _; kill -9 ${child.pid}`], { stdio: ["pipe", "ignore", "ignore"], detached: true });
  guard.on("error", () => {});
  guard.unref();
  (guard.stdin as unknown as { unref(): void }).unref();
  return guard;
}
