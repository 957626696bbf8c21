/** Serves a request by a route: who may not is told so first, then what is wrong with it. */

import type { DirectoryCalls } from "../objects/calls.ts";
import { stubs } from "../objects/env.ts";
import { directoryObjectName } from "../objects/names.ts";
import { type Admitted, isFor } from "./context.ts";
import { onceOf } from "./once.ts";
import { IN_QUERY } from "./path-part.ts";
import { refuse } from "./problem.ts";
import type { Found } from "./router.ts";
import { expectTexts } from "./schema.ts";

export async function serve({ route, params }: Found, admitted: Admitted): Promise<Response> {
  const { url, caller } = admitted;
  if (!isFor(admitted, route.scope)) return refuse("FORBIDDEN", `This needs a token with the scope ${route.scope}.`);
  const headers = expectTexts(route.headers, (name) => present(admitted.request.headers.get(name)));
  const { once, request } = await onceOf(admitted.request, caller, route.headers);
  const { status, body } = await route.handle({
    ...admitted,
    directory: route.needsDirectory ? directoryOf(admitted) : (undefined as never),
    params: expectTexts(route.params, (name) => present((params[name] === IN_QUERY ? url.searchParams.get(name) : null) ?? params[name])),
    query: expectTexts(route.query, (name) => url.searchParams.getAll(name)),
    headers,
    once,
    body: await route.body?.read(request),
  });
  // It stays with who asked.
  const own = { "Cache-Control": "no-store" };
  if (body instanceof Response)
    return new Response(body.body, { status: body.status, headers: { ...Object.fromEntries(body.headers), ...own } });
  return body === undefined ? new Response(null, { status, headers: own }) : Response.json(body, { status, headers: own });
}

function present(text: string | null | undefined): readonly string[] {
  return text === undefined || text === null ? [] : [text];
}

function directoryOf({ settings, namespace, env: { DIRECTORY } }: Admitted): DirectoryCalls {
  if (settings.directory.adminToken === "")
    return refuse("NOT_FOUND", "This broker keeps no users and bans. The operator lets it by the secret ADMIN_TOKEN.");
  if (DIRECTORY === undefined) return refuse("SERVICE_UNAVAILABLE", "The broker was deployed without the binding DIRECTORY.");
  return stubs(DIRECTORY)(directoryObjectName(namespace));
}
