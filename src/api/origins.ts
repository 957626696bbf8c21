/**
 * Pages of other origins that may use the API from a browser (CORS): those of ALLOWED_ORIGINS, and none where nothing is set. They show a token as
 * every program does: what a browser adds by itself is never let in from another origin, so that no answer allows credentials.
 */

import type { Settings } from "../settings.ts";
import type { Incoming } from "./context.ts";
import { problem } from "./problem.ts";
import { ROUTES } from "./routes.ts";

/** How long a browser remembers what it was allowed, seconds: the most that some take. */
const ALLOWED_SECONDS = 7200;

const PREFLIGHT = {
  "Access-Control-Allow-Methods": "GET, POST, PUT, DELETE",
  "Access-Control-Allow-Headers": [
    ...new Set(["Authorization", "Content-Type", ...ROUTES.flatMap(({ headers }) => Object.keys(headers))]),
  ].join(", "),
  "Access-Control-Max-Age": String(ALLOWED_SECONDS),
};

/** An answer, as pages of other origins may read it; or the answer to a browser that asks before it asks. */
export async function withOrigins({ request, settings }: Incoming, answer: () => Promise<Response>): Promise<Response> {
  const { method, headers } = request;
  const allowed = allowedOrigin(headers.get("Origin"), settings);
  const asks = method === "OPTIONS" && headers.has("Access-Control-Request-Method");
  if (!asks) return allowed === undefined ? answer() : readable(await answer(), allowed);
  if (allowed !== undefined) return readable(new Response(null, { status: 204, headers: PREFLIGHT }), allowed);
  return problem("FORBIDDEN", "Pages of this origin may not use the API. Its operator can add the origin to ALLOWED_ORIGINS.");
}

function readable(answer: Response, origin: string): Response {
  const { status, body } = answer;
  const headers = new Headers(answer.headers);
  headers.set("Access-Control-Allow-Origin", origin);
  headers.set("Access-Control-Expose-Headers", "Retry-After");
  headers.set("Vary", "Origin");
  return new Response(body, { status, headers });
}

function allowedOrigin(origin: string | null, { allowedOrigins }: Settings): string | undefined {
  if (origin === null || allowedOrigins === undefined) return undefined;
  return allowedOrigins === "*" ? "*" : allowedOrigins.find((each) => each === origin);
}

/** Whether a browser sends it for a page of another origin, with what it adds by itself. */
export function isForeign({ url, headers }: Request): boolean {
  const site = headers.get("Sec-Fetch-Site");
  if (site !== null) return site !== "same-origin" && site !== "none";
  const origin = headers.get("Origin");
  return origin !== null && origin !== new URL(url).origin;
}
