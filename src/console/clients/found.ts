/**
 * The clients that are looked for: pages of the HTTP API, which may be short or empty and not the last, until there are enough to show. Where one
 * or two requests tell of all of them they are asked for again now and then; where it takes more, only when somebody wants it.
 */
import { effect, signal } from "@preact/signals";
import { type Api, ApiProblem, type Page, type Query } from "../session/api.ts";
import { api } from "../session/session.ts";
import type { ClientFacts } from "./client-facts.ts";

export interface Wanted {
  /** A part of the client ID or of the user name. */
  readonly text: string;
  readonly of: "clientid" | "username";
  readonly state: "" | "connected" | "disconnected";
  readonly version: "" | "3" | "4" | "5";
  readonly address: string;
}

export const EVERYBODY: Wanted = { text: "", of: "clientid", state: "", version: "", address: "" };

export interface Found {
  readonly clients: readonly ClientFacts[];
  /** Where it goes on; undefined: these are all. */
  readonly cursor: string | undefined;
  /** When they were asked for; undefined: they were not yet. */
  readonly at: number | undefined;
  readonly isAsking: boolean;
  readonly error: unknown;
}

const NOTHING: Found = { clients: [], cursor: undefined, at: undefined, isAsking: false, error: undefined };

/** Clients that one look finds at most. */
const SHOWN = 500;
/** Of one request; as large as the API takes. */
const LIMIT = 500;
/** Requests of one look: where they have found nobody, somebody has to want more of them. */
const REQUESTS_MAX = 10;
const AGAIN_MS = 10_000;
/** What takes more requests is not asked for by itself. */
const CHEAP_REQUESTS = 2;

class FoundClients {
  readonly wanted = signal<Wanted>(EVERYBODY);
  readonly found = signal<Found>(NOTHING);
  #asking: AbortController | undefined;
  #requests = 0;

  /** Looks, at once and whenever something else is wanted, until what it returns is called. */
  watch(): () => void {
    let last: Api | undefined;
    const end = effect(() => {
      const [now, wanted] = [api.value, this.wanted.value];
      // Another login: what was found is not for it.
      if (last !== now) this.found.value = NOTHING;
      last = now;
      void this.#look(now, wanted);
    });
    const timer = setInterval(() => {
      const { isAsking, error, clients } = this.found.peek();
      const isCheap = error !== undefined || (this.#requests <= CHEAP_REQUESTS && clients.length <= SHOWN);
      // The broker counts a wrong token that is shown again as a guess.
      const isRefused = error instanceof ApiProblem && error.isOfToken;
      if (!document.hidden && !isAsking && isCheap && !isRefused) this.again();
    }, AGAIN_MS);
    return () => {
      end();
      clearInterval(timer);
      this.#asking?.abort();
    };
  }

  again(): void {
    void this.#look(api.peek(), this.wanted.peek());
  }

  /** Goes on where the last look has stopped. */
  more(): void {
    const { clients, cursor } = this.found.peek();
    if (cursor !== undefined) void this.#look(api.peek(), this.wanted.peek(), clients, cursor);
  }

  async #look(from: Api, wanted: Wanted, before: readonly ClientFacts[] = [], begin?: string): Promise<void> {
    this.#asking?.abort();
    const asking = new AbortController();
    this.#asking = asking;
    const { signal } = asking;
    this.found.value = { ...this.found.peek(), isAsking: true };
    const clients = [...before];
    let cursor = begin;
    try {
      let requests = 0;
      do {
        const query = { ...queryOf(wanted), limit: LIMIT, cursor };
        const page: Page<ClientFacts> = await from.get("/clients", query, signal);
        clients.push(...page.data);
        cursor = page.meta.hasnext ? page.meta.cursor : undefined;
        requests += 1;
      } while (cursor !== undefined && clients.length < before.length + SHOWN && requests < REQUESTS_MAX);
      this.#requests = requests;
      if (!signal.aborted) this.found.value = { clients, cursor, at: Date.now(), isAsking: false, error: undefined };
    } catch (error) {
      if (!signal.aborted) this.found.value = { ...this.found.peek(), isAsking: false, error };
    }
  }
}

function queryOf({ text, of, state, version, address }: Wanted): Query {
  return { [`like_${of}`]: text, conn_state: state, proto_ver: version, ip_address: address };
}

export const found = new FoundClients();
