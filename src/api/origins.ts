/**
 * Pages of other origins that may use the API from a browser (CORS): those of ALLOWED_ORIGINS, and none where nothing is set. They show a token as
 * every program does: what a browser adds by itself is never let in from another origin, so that no answer allows credentials.
 */

import type { MiddlewareHandler } from "hono";
import type { Settings } from "../settings.ts";
import type { ApiContext } from "./context.ts";
import { RAW_HEADERS } from "./message.ts";
import { problem } from "./problem.ts";

/** How long a browser remembers what it was allowed, seconds: the most that some take. */
const ALLOWED_SECONDS = 7200;

const PREFLIGHT = {
  "Access-Control-Allow-Methods": "GET, POST, PUT, DELETE",
  "Access-Control-Allow-Headers": ["Authorization", "Content-Type", ...Object.keys(RAW_HEADERS)].join(", "),
  "Access-Control-Max-Age": String(ALLOWED_SECONDS),
};

export const origins: MiddlewareHandler<ApiContext> = async (context, next) => {
  const allowed = allowedOrigin(context.req.header("Origin"), context.get("settings"));
  const asks = context.req.method === "OPTIONS" && context.req.header("Access-Control-Request-Method") !== undefined;
  if (!asks) await next();
  else if (allowed !== undefined) context.res = new Response(null, { status: 204, headers: PREFLIGHT });
  else context.res = problem("FORBIDDEN", "Pages of this origin may not use the API. Its operator can add the origin to ALLOWED_ORIGINS.");
  if (allowed === undefined) return;
  context.header("Access-Control-Allow-Origin", allowed);
  context.header("Access-Control-Expose-Headers", "Retry-After");
  context.header("Vary", "Origin");
};

function allowedOrigin(origin: string | undefined, { allowedOrigins }: Settings): string | undefined {
  if (origin === undefined || allowedOrigins === undefined) return undefined;
  return allowedOrigins === "*" ? "*" : allowedOrigins.find((each) => each === origin);
}

/** Whether a browser sends it for a page of another origin, with what it adds by itself. */
export function isForeign({ url, headers }: Request): boolean {
  const site = headers.get("Sec-Fetch-Site");
  if (site !== null) return site !== "same-origin" && site !== "none";
  const origin = headers.get("Origin");
  return origin !== null && origin !== new URL(url).origin;
}
