/** Who may use the API: whoever shows a token that is for what is asked. */

import type { MiddlewareHandler } from "hono";
import type { ApiScope } from "../auth/api-settings.ts";
import { DEFAULT_NAMESPACE, exists } from "../edge/answers.ts";
import { Service } from "../service/service.ts";
import type { Settings } from "../settings.ts";
import { digestOf, type Key, keyShown } from "./bearer.ts";
import type { ApiContext } from "./context.ts";
import { problem } from "./problem.ts";

const CHALLENGE = { "WWW-Authenticate": 'Bearer realm="api"' };

interface Opening extends Key {
  readonly scopes: readonly ApiScope[];
}

/** The keys of a namespace. */
async function keysOf({ directory, apiKeys }: Settings, namespace: string): Promise<readonly Opening[]> {
  const { adminToken, namespaceTokens } = directory;
  const own = namespaceTokens.filter((each) => each.namespace === namespace).map(({ token }) => token);
  const tokens = adminToken === "" ? [] : [adminToken, ...own];
  const ofOperators = await Promise.all(tokens.map(async (token) => ({ digest: await digestOf(token), scopes: ["admin"] as const })));
  return [...ofOperators, ...apiKeys.filter(({ namespaces }) => namespaces === "*" || namespaces.includes(namespace))];
}

/** Lets nobody through without a token; whose is none in this namespace is none. */
export const access: MiddlewareHandler<ApiContext> = async (context, next) => {
  const settings = context.get("settings");
  if (settings.directory.adminToken === "" && settings.apiKeys.length === 0)
    return problem("NOT_FOUND", "The API is closed. The operator opens it with the secret API_TOKENS or ADMIN_TOKEN.");
  const namespace = context.req.query("namespace") ?? DEFAULT_NAMESPACE;
  const shown = await keyShown(context.req.raw, settings, "/api/v5", await keysOf(settings, namespace));
  if (shown === "too many were wrong")
    return problem("TOO_MANY_REQUESTS", "Too many tokens from this address were wrong; try again later.");
  if (shown === "wrong")
    return problem(
      "UNAUTHORIZED",
      "The API is used with the header Authorization: Bearer, and a token of API_TOKENS or the token in ADMIN_TOKEN.",
      CHALLENGE,
    );
  if (!exists(settings, namespace)) return problem("NOT_FOUND", "There is no such namespace.");
  const waitUntil = (promise: Promise<unknown>): void => context.executionCtx.waitUntil(promise);
  context.set("namespace", namespace);
  context.set("scopes", shown.scopes);
  context.set("service", new Service({ env: context.env, settings, waitUntil }));
  await next();
  context.header("Cache-Control", "no-store");
};
