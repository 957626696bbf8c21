/**
 * `/api/v5`: what programs and operators do without an MQTT client. Closed without tokens, and to whoever does not show one that is for what is
 * asked; each answer is JSON and stays with who asked.
 */

import { HTTPException } from "hono/http-exception";
import { Hono } from "hono/tiny";
import { log } from "../objects/log.ts";
import { access } from "./access.ts";
import type { ApiContext } from "./context.ts";
import { origins } from "./origins.ts";
import { problem } from "./problem.ts";
import { ROUTES } from "./routes.ts";
import { serve } from "./serve.ts";

export const api = new Hono<ApiContext>({ strict: false });

api.use(origins, access);
for (const route of ROUTES) for (const path of spellings(route.path)) api.on(route.method, path, (context) => serve(route, context));
for (const path of new Set(ROUTES.map((route) => route.path))) {
  const methods = ROUTES.filter((route) => route.path === path).map(({ method }) => method);
  const message = `This path of the API knows ${methods.join(" and ")}.`;
  for (const each of spellings(path)) api.all(each, () => problem("METHOD_NOT_ALLOWED", message, { Allow: methods.join(", ") }));
}
api.all("*", () => problem("NOT_FOUND", "There is nothing at this path of the API."));
api.onError((error) => {
  if (error instanceof HTTPException) return error.getResponse();
  log("request failed", { problem: error.message });
  return problem("INTERNAL_ERROR", "The broker failed to answer this request.");
});

/** Some encode the colon of EMQX's name for users that the broker itself keeps. */
function spellings(path: string): readonly string[] {
  return [...new Set([path, path.replace("password_based:", "password_based%3A")])];
}
