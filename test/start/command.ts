/** Runs `npm start`'s command as a child process, as an operator would, and watches what it prints. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import mqtt, { type IClientOptions, type MqttClient } from "mqtt";
import { afterEach } from "vitest";
import { ROOT } from "../../scripts/build/bundle.ts";

export interface Exit {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Command {
  readonly process: ChildProcess;
  /** Resolves with the match as soon as the standard output has it; rejects when the process ends before. */
  prints(pattern: RegExp): Promise<RegExpExecArray>;
  readonly exit: Promise<Exit>;
}

const commands: ChildProcess[] = [];
const clients: MqttClient[] = [];
const folders: string[] = [];

afterEach(async () => {
  for (const client of clients.splice(0)) client.end(true);
  for (const child of commands.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    const exited = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await exited;
  }
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** A new folder that is removed after the test. */
export function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "durable-mqtt-start-"));
  folders.push(folder);
  return folder;
}

/** @param env added to an environment that has no settings */
export function start(args: readonly string[], env: Readonly<Record<string, string>> = {}): Command {
  const child = spawn(process.execPath, [join(ROOT, "scripts", "local", "durable-mqtt.ts"), "start", ...args], {
    cwd: ROOT,
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...env },
    stdio: ["ignore", "pipe", "pipe"],
    // A process group of its own, as a terminal gives to what it runs.
    detached: true,
  });
  commands.push(child);
  let stdout = "";
  let stderr = "";
  let look = (): void => {};
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
    look();
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  const exit = new Promise<Exit>((resolve) => child.once("close", (code) => resolve({ code, stdout, stderr })));
  return {
    process: child,
    exit,
    prints: (pattern) =>
      new Promise((resolve, reject) => {
        look = () => {
          const match = pattern.exec(stdout);
          if (match !== null) resolve(match);
        };
        look();
        void exit.then(() => reject(new Error(`It ended without printing ${pattern}:\n${stdout}${stderr}`)));
      }),
  };
}

/** A started broker with what it printed; `args` beside any free port. */
export async function running(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Command & { readonly ws: string; readonly http: string }> {
  const command = start(["--port", "0", ...args], env);
  const [, http] = await command.prints(/Console +(http:\S+)\/\n[\s\S]*\n$/);
  const [, ws] = await command.prints(/MQTT over WebSocket +(ws:\S+)/);
  return { ...command, ws: ws!, http: http! };
}

/** @throws when the broker refuses */
export async function connectMqtt(url: string, options: IClientOptions = {}): Promise<MqttClient> {
  const client = await mqtt.connectAsync(url, { reconnectPeriod: 0, ...options }, false);
  clients.push(client);
  return client;
}

/** The next message of a client, as text. */
export function nextMessage(client: MqttClient): Promise<{ topic: string; payload: string; retained: boolean }> {
  return new Promise((resolve) =>
    client.once("message", (topic, payload, packet) => resolve({ topic, payload: String(payload), retained: packet.retain })),
  );
}
