/** The HTTP API of the broker, as the console asks it. What is refused is an `ApiProblem` with a sentence of the broker's. */

export class ApiProblem extends Error {
  override readonly name: string = "ApiProblem";
  /** Of HTTP; 0: the broker cannot be reached. */
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }

  /** Another token would help. */
  get isOfToken(): boolean {
    return this.status === 401 || this.status === 403;
  }
}

export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

export interface Page<Item> {
  readonly data: readonly Item[];
  readonly meta: { readonly cursor?: string; readonly hasnext: boolean };
}

export class Api {
  readonly #namespace: string;
  readonly #token: string;

  constructor(namespace: string, token: string) {
    this.#namespace = namespace;
    this.#token = token;
  }

  /** Whether there is a token at all; what it is good for only its answers tell. */
  get hasToken(): boolean {
    return this.#token !== "";
  }

  /** @throws ApiProblem */
  async get<Answer>(path: string, query: Query = {}, signal?: AbortSignal): Promise<Answer> {
    return (await this.#ask("GET", path, query, undefined, signal)).json() as Promise<Answer>;
  }

  /** @param body undefined: none @returns what the broker answers; undefined where that is nothing @throws ApiProblem */
  async send<Answer = undefined>(method: "POST" | "PUT" | "DELETE", path: string, body?: unknown, query: Query = {}): Promise<Answer> {
    const response = await this.#ask(method, path, query, body === undefined ? undefined : JSON.stringify(body));
    const text = await response.text();
    return (text === "" ? undefined : JSON.parse(text)) as Answer;
  }

  /** An answer that goes on: Server-Sent Events. @throws ApiProblem */
  async stream(path: string, query: Query, signal: AbortSignal): Promise<ReadableStream<Uint8Array>> {
    return (await this.#ask("GET", path, query, undefined, signal)).body!;
  }

  async #ask(method: string, path: string, query: Query, body?: string, signal?: AbortSignal): Promise<Response> {
    const url = new URL(`/api/v5${path}`, location.origin);
    if (this.#namespace !== "default") url.searchParams.set("namespace", this.#namespace);
    for (const [name, value] of Object.entries(query))
      if (value !== undefined && value !== "") url.searchParams.append(name, String(value));
    const headers: Record<string, string> = this.#token === "" ? {} : { Authorization: `Bearer ${this.#token}` };
    if (body !== undefined) headers["Content-Type"] = "application/json";
    const response = await fetch(url, { method, headers, body: body ?? null, signal: signal ?? null }).catch((error: Error) => {
      if (error.name === "AbortError") throw error;
      throw new ApiProblem(0, "UNREACHABLE", "The broker cannot be reached.");
    });
    if (response.ok) return response;
    throw await problemOf(response);
  }
}

async function problemOf(response: Response): Promise<ApiProblem> {
  try {
    const { code, message } = (await response.json()) as { code?: string; message?: string };
    return new ApiProblem(response.status, code ?? "", message ?? `The broker answered ${response.status}.`);
  } catch {
    return new ApiProblem(response.status, "", `The broker answered ${response.status}.`);
  }
}
