/** Talks to the API of a broker, local or deployed: which one, with which token, and what it says. */
import { setTimeout as sleep } from "node:timers/promises";
import { nameOf } from "../../src/cli/calling.ts";
import { Problem } from "../../src/cli/problem.ts";
import type { Command } from "../../src/cli/program.ts";
import { readAdminFile } from "./admin-file.ts";
import { isLoopback } from "./loopback.ts";

/** Gives a command the options by which it finds its broker. */
export function adminOptions(command: Command): Command {
  return command
    .option("--url <url>", "the broker; without it the one that was started on this machine")
    .option("--namespace <name>", "the namespace; default without it")
    .option("--data <folder>", "the data folder of the local broker, where its URL and its admin token are", ".data");
}

export const ADMIN_HELP =
  "\nThe admin token of another broker is the secret ADMIN_TOKEN of its deploy; it is taken from the environment variable of that name.";

export interface AdminOptions {
  readonly url?: string | undefined;
  readonly namespace?: string | undefined;
  readonly data: string;
}

/** Longer than the broker's own rate ever makes one wait: what takes longer is for people to know. */
const WAIT_SECONDS_MAX = 10;

export class AdminClient {
  readonly #base: string;
  readonly #token: string;
  readonly #namespace: string | undefined;

  /** @throws Problem when it is not clear which broker or token is meant */
  constructor({ url, namespace, data }: AdminOptions, env: Readonly<Record<string, string | undefined>> = process.env) {
    const local = readAdminFile(data);
    const base = url ?? local?.url;
    if (base === undefined || !URL.canParse(base)) {
      throw new Problem(`Which broker? Start one with ${nameOf("start")} (${data} has none), or name one with --url https://...`);
    }
    const { hostname, protocol, origin } = new URL(base);
    const isHere = isLoopback(hostname.replace(/^\[|\]$/g, ""));
    // Over a network that others read the token would be theirs, and that of this machine is not for others.
    if (protocol !== "https:" && !isHere) throw new Problem("The token only goes over https://, or to this machine.");
    const token = env.ADMIN_TOKEN || (isHere ? local?.token : undefined);
    if (token === undefined) throw new Problem("The admin token of that broker is missing: set the environment variable ADMIN_TOKEN.");
    this.#base = `${origin}/api/v5`;
    this.#token = token;
    this.#namespace = namespace;
  }

  /** @param body JSON, or text as it is @returns undefined for an answer without content @throws Problem with what the broker says */
  async call<Answer>(method: string, path: string, body?: unknown, query: Readonly<Record<string, string>> = {}): Promise<Answer> {
    const url = new URL(this.#base + path);
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
    if (this.#namespace !== undefined) url.searchParams.set("namespace", this.#namespace);
    const headers = { Authorization: `Bearer ${this.#token}`, ...(body === undefined ? {} : { "Content-Type": "application/json" }) };
    const text = body === undefined || typeof body === "string" ? body : JSON.stringify(body);
    const request = { method, headers, body: text ?? null };
    let response = await this.#send(url, request);
    // What is much takes its time.
    for (let seconds = retryAfter(response); seconds !== undefined; seconds = retryAfter(response)) {
      await response.body?.cancel();
      await sleep(seconds * 1000);
      response = await this.#send(url, request);
    }
    const answer = await response.text();
    if (!response.ok) throw new Problem(messageOf(answer) ?? `${url.origin} answered ${response.status}.`);
    return (answer === "" ? undefined : JSON.parse(answer)) as Answer;
  }

  #send(url: URL, request: RequestInit): Promise<Response> {
    return fetch(url, request).catch((error: Error) => {
      throw new Problem(`${url.origin} can't be reached: ${(error.cause as Error | undefined)?.message ?? error.message}.`);
    });
  }
}

/** @returns after how many seconds the request may be made again; undefined for one that was answered, or is not to be waited for */
function retryAfter({ status, headers }: Response): number | undefined {
  const seconds = Number(headers.get("Retry-After") ?? "0");
  return status === 429 && seconds > 0 && seconds <= WAIT_SECONDS_MAX ? seconds : undefined;
}

function messageOf(answer: string): string | undefined {
  try {
    const { message } = JSON.parse(answer) as { message?: unknown };
    return typeof message === "string" ? message : undefined;
  } catch {
    return undefined;
  }
}

/** The same broker for all of a command. */
export const USERS_PATH = "/authentication/password_based:built_in_database/users";
