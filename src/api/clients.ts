/** `/api/v5/clients`: who is there, connected or with a session that waits, and to end a connection, in the form of EMQX. */

import { Hono } from "hono";
import type { ClientView } from "../objects/calls.ts";
import { needs } from "./access.ts";
import { bodyJson } from "./body.ts";
import type { ApiContext } from "./context.ts";
import { pageAsk } from "./pages.ts";
import { orBadRequest, problem, refuse } from "./problem.ts";

/** Which of a query's fields leave out whom. */
const FILTERS: Readonly<Record<string, (client: ClientView, value: string) => boolean>> = {
  clientid: ({ clientId }, value) => clientId === value,
  like_clientid: ({ clientId }, value) => clientId.includes(value),
  username: ({ userName }, value) => userName === value,
  like_username: ({ userName = "" }, value) => userName.includes(value),
  ip_address: ({ address }, value) => address === value,
  conn_state: ({ connected }, value) => (connected ? "connected" : "disconnected") === value,
  proto_ver: ({ version }, value) => String(version) === value,
};

/** Clients whose connections one request ends: each is a call to the object of its session. */
const KICKED_MAX = 40;

export const clients = new Hono<ApiContext>()
  .get("/", needs("read"), async (context) => {
    const { searchParams } = new URL(context.req.url);
    const { page, limit, cursor } = pageAsk((name) => searchParams.get(name) ?? undefined);
    if (page > 1) return refuse("BAD_REQUEST", "The pages of clients are asked for by the cursor of the page before.");
    const { service, namespace } = context.var;
    const found = await orBadRequest(() => service.clients({ cursor, limit, namespace }));
    const wanted = found.clients.filter((client) =>
      Object.entries(FILTERS).every(([name, isOne]) => {
        const values = searchParams.getAll(name);
        return values.length === 0 || values.some((value) => isOne(client, value));
      }),
    );
    const hasnext = found.cursor !== undefined;
    return context.json({ data: wanted.map(viewOf), meta: { limit, hasnext, ...(hasnext && { cursor: found.cursor }) } });
  })
  .get("/:clientid{.+}", needs("read"), async (context) => {
    const { service, namespace } = context.var;
    const client = await service.client(context.req.param("clientid"), { namespace });
    return client === undefined ? noClient() : context.json(viewOf(client));
  })
  .delete("/:clientid{.+}", needs("admin"), async (context) => {
    const { service, namespace } = context.var;
    const wasThere = await service.disconnect(context.req.param("clientid"), { namespace });
    return wasThere ? context.body(null, 204) : noClient();
  })
  .post("/kickout/bulk", needs("admin"), async (context) => {
    const list = await bodyJson(context.req.raw);
    const isList = Array.isArray(list) && list.length <= KICKED_MAX && list.every((each) => typeof each === "string" && each !== "");
    if (!isList) return refuse("BAD_REQUEST", `The body must be a JSON list of at most ${KICKED_MAX} client IDs.`);
    const { service, namespace } = context.var;
    await Promise.all(list.map((clientId) => service.disconnect(clientId, { namespace })));
    return context.body(null, 204);
  });

function noClient(): Response {
  return problem("CLIENTID_NOT_FOUND", "There is no such client.");
}

function viewOf({ clientId, userName, address, connected, version, expiresAt, subscriptions, waiting }: ClientView): object {
  return {
    clientid: clientId,
    username: userName ?? null,
    ip_address: address === "" ? null : address,
    connected,
    ...(version !== undefined && { proto_name: version === 3 ? "MQIsdp" : "MQTT", proto_ver: version }),
    ...(expiresAt !== undefined && { expires_at: Number.isFinite(expiresAt) ? new Date(expiresAt).toISOString() : "infinity" }),
    subscriptions_cnt: subscriptions,
    mqueue_len: waiting,
  };
}
