/**
 * `/api/v5`: what an operator changes while the broker runs. Closed without ADMIN_TOKEN, and to whoever does not show it; each answer is JSON
 * and stays with who asked.
 */

import { Hono } from "hono";
import { HTTPException } from "hono/http-exception";
import { DEFAULT_NAMESPACE, exists } from "../edge/answers.ts";
import { stubs } from "../objects/env.ts";
import { log } from "../objects/log.ts";
import { directoryObjectName } from "../objects/names.ts";
import type { AdminContext } from "./admin-context.ts";
import { banned } from "./banned.ts";
import { tokenShown } from "./bearer.ts";
import { problem } from "./problem.ts";
import { users } from "./users.ts";

/** EMQX's name for users that the broker itself keeps; some encode the colon. */
const USERS_PATHS = ["password_based:built_in_database", "password_based%3Abuilt_in_database"];

export const admin = new Hono<AdminContext>({ strict: false });

admin.use(async (context, next) => {
  const settings = context.get("settings");
  const { adminToken, namespaceTokens } = settings.directory;
  if (adminToken === "") return problem("NOT_FOUND", "The API is closed. The operator opens it with the secret ADMIN_TOKEN.");
  const namespace = context.req.query("namespace") ?? DEFAULT_NAMESPACE;
  const own = namespaceTokens.filter((each) => each.namespace === namespace).map(({ token }) => token);
  const shown = await tokenShown(context.req.raw, settings, "/api/v5", [adminToken, ...own]);
  if (shown === "too many were wrong")
    return problem("TOO_MANY_REQUESTS", "Too many tokens from this address were wrong; try again later.");
  if (shown === "wrong") {
    const headers = { "WWW-Authenticate": 'Bearer realm="admin"' };
    return problem("UNAUTHORIZED", "The API is used with the header Authorization: Bearer, and the token in ADMIN_TOKEN.", headers);
  }
  if (!exists(settings, namespace)) return problem("NOT_FOUND", "There is no such namespace.");
  if (context.env.DIRECTORY === undefined) return problem("SERVICE_UNAVAILABLE", "The broker was deployed without the binding DIRECTORY.");
  context.set("directory", stubs(context.env.DIRECTORY)(directoryObjectName(namespace)));
  await next();
  context.header("Cache-Control", "no-store");
});

admin.route("/banned", banned);
for (const path of USERS_PATHS) admin.route(`/authentication/${path}/users`, users);

admin.all("*", () => problem("NOT_FOUND", "There is nothing at this path of the API."));
admin.onError((error) => {
  if (error instanceof HTTPException) return error.getResponse();
  log("request failed", { problem: error.message });
  return problem("INTERNAL_ERROR", "The broker failed to answer this request.");
});
