/** Talks to the API of a broker, local or deployed: which one, with which token, and what it says. */
import { readAdminFile } from "./admin-file.ts";
import { isLoopback } from "./loopback.ts";

/** The options of every command that does. */
export const ADMIN_OPTIONS = {
  url: { type: "string" },
  namespace: { type: "string" },
  data: { type: "string", default: ".data" },
  help: { type: "boolean", default: false },
} as const;

export const ADMIN_HELP = `  --url https://...   the broker; without it the one that npm start runs on this machine
  --namespace NAME    the namespace; default without it
  --data .data        the data folder of the local broker, where its URL and its admin token are

The admin token of another broker is the secret ADMIN_TOKEN of its deploy; it is taken from the environment variable of that name.`;

export interface AdminOptions {
  readonly url?: string | undefined;
  readonly namespace?: string | undefined;
  readonly data: string;
}

/** A sentence for people, instead of what a command should have done. */
export class AdminProblem extends Error {}

export class AdminClient {
  readonly #base: string;
  readonly #token: string;
  readonly #namespace: string | undefined;

  /** @throws AdminProblem when it is not clear which broker or token is meant */
  constructor({ url, namespace, data }: AdminOptions, env: Readonly<Record<string, string | undefined>> = process.env) {
    const local = readAdminFile(data);
    const base = url ?? local?.url;
    if (base === undefined || !URL.canParse(base)) {
      throw new AdminProblem(`Which broker? Start one with npm start (${data} has none), or name one with --url https://...`);
    }
    const { hostname, protocol, origin } = new URL(base);
    const isHere = isLoopback(hostname.replace(/^\[|\]$/g, ""));
    // Over a network that others read the token would be theirs, and that of this machine is not for others.
    if (protocol !== "https:" && !isHere) throw new AdminProblem("The token only goes over https://, or to this machine.");
    const token = env.ADMIN_TOKEN || (isHere ? local?.token : undefined);
    if (token === undefined) throw new AdminProblem("The admin token of that broker is missing: set the environment variable ADMIN_TOKEN.");
    this.#base = `${origin}/api/v5`;
    this.#token = token;
    this.#namespace = namespace;
  }

  /** @param body JSON, or text as it is @returns undefined for an answer without content @throws AdminProblem with what the broker says */
  async call<Answer>(method: string, path: string, body?: unknown, query: Readonly<Record<string, string>> = {}): Promise<Answer> {
    const url = new URL(this.#base + path);
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
    if (this.#namespace !== undefined) url.searchParams.set("namespace", this.#namespace);
    const headers = { Authorization: `Bearer ${this.#token}`, ...(body === undefined ? {} : { "Content-Type": "application/json" }) };
    const text = body === undefined || typeof body === "string" ? body : JSON.stringify(body);
    const response = await fetch(url, { method, headers, body: text ?? null }).catch((error: Error) => {
      throw new AdminProblem(`${url.origin} can't be reached: ${(error.cause as Error | undefined)?.message ?? error.message}.`);
    });
    const answer = await response.text();
    if (!response.ok) throw new AdminProblem(messageOf(answer) ?? `${url.origin} answered ${response.status}.`);
    return (answer === "" ? undefined : JSON.parse(answer)) as Answer;
  }
}

function messageOf(answer: string): string | undefined {
  try {
    const { message } = JSON.parse(answer) as { message?: unknown };
    return typeof message === "string" ? message : undefined;
  } catch {
    return undefined;
  }
}

export function fail(sentence: string, exitCode = 1): never {
  for (const line of sentence.split("\n")) console.error(line);
  process.exit(exitCode);
}

/** Runs a command; what went wrong is a sentence. */
export async function runCommand(command: () => Promise<void>): Promise<void> {
  try {
    await command();
  } catch (error) {
    fail(error instanceof Error ? error.message : String(error));
  }
}

/** The same broker for all of a command. */
export const USERS_PATH = "/authentication/password_based:built_in_database/users";
