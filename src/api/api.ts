/**
 * `/api/v5`: what programs and operators do without an MQTT client. Closed without tokens, and to whoever does not show one that is for what is
 * asked; each answer is JSON and stays with who asked.
 */

import { problemOf } from "../fault.ts";
import { log } from "../objects/log.ts";
import { UnansweredError } from "../service/error.ts";
import { admit } from "./access.ts";
import type { Incoming } from "./context.ts";
import { unanswered } from "./once.ts";
import { withOrigins } from "./origins.ts";
import { problem, Refusal } from "./problem.ts";
import { routerOf } from "./router.ts";
import { ROUTES } from "./routes.ts";
import { serve } from "./serve.ts";

/** Where the API is. */
export const API_PATH = "/api/v5";

const router = routerOf(ROUTES);

export function api(incoming: Incoming): Promise<Response> {
  return withOrigins(incoming, async () => {
    const answer = await answerTo(incoming).catch(failure);
    if (incoming.request.method !== "HEAD") return answer;
    await answer.body?.cancel();
    return new Response(null, answer);
  });
}

async function answerTo(incoming: Incoming): Promise<Response> {
  const admitted = await admit(incoming);
  const { request, url } = incoming;
  const found = router(request.method, url.pathname.slice(API_PATH.length));
  if ("route" in found) return serve(found, admitted);
  if (found.length === 0) return problem("NOT_FOUND", "There is nothing at this path of the API.");
  return problem("METHOD_NOT_ALLOWED", `This path of the API knows ${found.join(" and ")}.`, { Allow: found.join(", ") });
}

function failure(error: unknown): Response {
  if (error instanceof Refusal) return error.response;
  if (error instanceof UnansweredError) return unanswered(error);
  log("request failed", { problem: problemOf(error) });
  return problem("INTERNAL_ERROR", "The broker failed to answer this request.");
}
