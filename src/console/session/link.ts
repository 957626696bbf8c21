/** A connection of the console to its broker, over as many sockets as it takes, and why there is none, in words. */
import { type ReadonlySignal, signal } from "@preact/signals";
import { type Client, type ConnectOptions, connect, MqttError, type Server } from "../../client/index.ts";
import { type Login, passwordOf } from "./login.ts";

export type LinkState =
  | { readonly kind: "closed"; readonly problem?: string | undefined }
  | { readonly kind: "opening" }
  | { readonly kind: "open"; readonly server: Server }
  /** The connection is lost, or cannot be made, and is tried again. */
  | { readonly kind: "away"; readonly problem: string };

const CONNECT_TIMEOUT_MS = 10_000;
/** What comes while the connection is lost is kept so long; a page that was closed does not come back. */
const SESSION_EXPIRY_SECONDS = 60;
const RETRY_MS = 3000;
/** Between two attempts, ms: a person looks. */
const RECONNECT = { minMs: 500, maxMs: 5000 };

/** Where the broker takes the WebSockets of a namespace. */
function pathOf(namespace: string): string {
  return namespace === "default" ? "/mqtt" : `/${encodeURIComponent(namespace)}/mqtt`;
}

export class Link {
  readonly #state = signal<LinkState>({ kind: "closed" });
  /** Called with each new client, before anything else is done with it. */
  readonly #opened: (client: Client) => void;
  #client: Client | undefined;
  #attempt: AbortController | undefined;

  constructor(opened: (client: Client) => void = () => {}) {
    this.#opened = opened;
  }

  get state(): ReadonlySignal<LinkState> {
    return this.#state;
  }

  /** The client while there is one, connected or not. */
  get client(): Client | undefined {
    return this.#client;
  }

  /** Connects, and goes on trying while the broker cannot be reached; what it refuses is not tried again. */
  async open(login: Login, clientId: string, options: ConnectOptions = {}): Promise<void> {
    this.close();
    const attempt = new AbortController();
    this.#attempt = attempt;
    const { signal } = attempt;
    this.#state.value = { kind: "opening" };
    const path = pathOf(login.namespace);
    const url = `${location.protocol === "https:" ? "wss:" : "ws:"}//${location.host}${path}`;
    while (!signal.aborted) {
      try {
        const client = await connect(url, { ...optionsOf(login), clientId, signal, ...options });
        if (signal.aborted) return void client.end();
        this.#listen(client, signal);
        return;
      } catch (error) {
        if (signal.aborted) return;
        const why = await whyNot(error, path);
        if (signal.aborted) return;
        this.#state.value = { kind: why.isFinal ? "closed" : "away", problem: why.problem };
        if (why.isFinal) return;
        await waited(RETRY_MS, signal);
      }
    }
  }

  close(): void {
    this.#attempt?.abort();
    void this.#client?.end();
    this.#client = undefined;
    this.#state.value = { kind: "closed" };
  }

  #listen(client: Client, signal: AbortSignal): void {
    this.#client = client;
    const set = (state: LinkState): void => {
      if (!signal.aborted) this.#state.value = state;
    };
    client.on("connected", (server) => set({ kind: "open", server }));
    client.on("disconnected", ({ error, willReconnect }) => willReconnect && set({ kind: "away", problem: sentence(error) }));
    client.on("closed", (error) => {
      if (signal.aborted) return;
      this.#client = undefined;
      set({ kind: "closed", problem: error && sentence(error) });
    });
    this.#opened(client);
    set({ kind: "open", server: client.server });
  }
}

function optionsOf(login: Login): ConnectOptions {
  const password = passwordOf(login);
  return {
    version: 5,
    clean: true,
    connectTimeoutMs: CONNECT_TIMEOUT_MS,
    sessionExpirySeconds: SESSION_EXPIRY_SECONDS,
    reconnect: RECONNECT,
    ...(login.userName === "" ? {} : { userName: login.userName }),
    ...(password === "" ? {} : { password }),
  };
}

export function sentence(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return `${text.replace(/\.$/, "")}.`;
}

function waited(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

interface Why {
  readonly problem: string;
  /** The broker has refused: it would again. */
  readonly isFinal: boolean;
}

async function whyNot(error: unknown, path: string): Promise<Why> {
  const kind = error instanceof MqttError ? error.kind : undefined;
  return kind === "lost" ? whyNoSocket(path) : { problem: sentence(error), isFinal: kind !== "timeout" };
}

/** A browser does not say why a WebSocket was refused; the same path without an upgrade answers in words. */
async function whyNoSocket(path: string): Promise<Why> {
  try {
    const response = await fetch(path, { signal: AbortSignal.timeout(CONNECT_TIMEOUT_MS) });
    const text = (await response.text()).trim();
    const isSilent = response.status === 426 || response.status >= 500 || text === "" || text.length > 500;
    return isSilent ? { problem: "The broker did not answer with MQTT.", isFinal: false } : { problem: text, isFinal: true };
  } catch {
    return { problem: "The broker cannot be reached.", isFinal: false };
  }
}
