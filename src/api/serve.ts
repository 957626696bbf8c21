/** Serves a request by a route: who may not is told so first, then what is wrong with it. */

import type { Context } from "hono";
import type { DirectoryCalls } from "../objects/calls.ts";
import { stubs } from "../objects/env.ts";
import { directoryObjectName } from "../objects/names.ts";
import type { ApiContext } from "./context.ts";
import { refuse } from "./problem.ts";
import type { Route } from "./route.ts";
import { expectTexts } from "./schema.ts";

export async function serve(route: Route, context: Context<ApiContext>): Promise<Response> {
  const { namespace, service, settings, scopes, expiresAt } = context.var;
  if (!scopes.includes(route.scope) && !scopes.includes("admin"))
    return refuse("FORBIDDEN", `This needs a token with the scope ${route.scope}.`);
  const { searchParams } = new URL(context.req.url);
  const { headers } = context.req.raw;
  const { status, body } = await route.handle({
    directory: route.needsDirectory ? directoryOf(context) : (undefined as never),
    params: expectTexts(route.params, (name) => present(context.req.param(name))),
    query: expectTexts(route.query, (name) => searchParams.getAll(name)),
    headers: expectTexts(route.headers, (name) => present(headers.get(name))),
    body: await route.body?.read(context.req.raw),
    ...{ namespace, service, settings, scopes, expiresAt, env: context.env },
    waitUntil: (promise) => context.executionCtx.waitUntil(promise),
  });
  if (body instanceof Response) return body;
  return body === undefined ? new Response(null, { status }) : Response.json(body, { status });
}

function present(text: string | null | undefined): readonly string[] {
  return text === undefined || text === null ? [] : [text];
}

function directoryOf({ var: { settings, namespace }, env: { DIRECTORY } }: Context<ApiContext>): DirectoryCalls {
  if (settings.directory.adminToken === "")
    return refuse("NOT_FOUND", "This broker keeps no users and bans. The operator lets it by the secret ADMIN_TOKEN.");
  if (DIRECTORY === undefined) return refuse("SERVICE_UNAVAILABLE", "The broker was deployed without the binding DIRECTORY.");
  return stubs(DIRECTORY)(directoryObjectName(namespace));
}
