/**
 * `/api/v5/portable`: all that a namespace keeps, page by page, for another broker or another topology of this one, and the way in. What is
 * there already stays what it is, so that to bring something twice does nothing; or goes (`?replace=true`). Users come in as others do, bans go both ways as others do.
 */

import { type Context, Hono } from "hono";
import { PAGE_CALLS_MAX } from "../code-limits.ts";
import type { HookMessage } from "../hooks/contract.ts";
import type { Limits } from "../limits.ts";
import { DIRECTORY_USERS_PER_CALL, PORTABLE_BODY_BYTES_MAX } from "../login-limits.ts";
import type { TakenSession } from "../objects/calls.ts";
import { sessionObjectName } from "../objects/names.ts";
import { PLATFORM } from "../runtime.ts";
import type { PortableMessage } from "../session/portable.ts";
import { bodyList, fieldsOf } from "./body.ts";
import type { ApiContext } from "./context.ts";
import { base64Of } from "./message.ts";
import { propertiesView, publishIn, timeOf, timeText } from "./portable-message.ts";
import { sessionOf, sessionView } from "./portable-session.ts";
import { keepRetained, retainedPage, sessionsOf, sessionsPage, type Walk } from "./portable-walk.ts";
import { orBadRequest, refuse } from "./problem.ts";
import { rightsView } from "./rights.ts";

/** Retained messages in one request. */
const RETAINED_PER_CALL = 1000;

export const portable = new Hono<ApiContext>()
  .get("/sessions", async (context) => {
    const { items, tooLarge, cursor } = await orBadRequest(() => sessionsPage(walkOf(context), context.get("directory")));
    return context.json({ data: items.map(sessionView), meta: { cursor, too_large: tooLarge } });
  })
  .post("/sessions", async (context) => {
    const { env, settings, namespace } = walkOf(context);
    const list = await bodyList(context.req.raw, PORTABLE_BODY_BYTES_MAX);
    if (list.length > PAGE_CALLS_MAX) refuse("BAD_REQUEST", `One request brings at most ${PAGE_CALLS_MAX} sessions.`);
    const all = list.map((each) => sessionOf(each, settings.limits));
    const outcomes: TakenSession[] = [];
    for (const session of all) {
      const { clientId, userName } = session;
      const object = sessionObjectName(settings, namespace, clientId);
      // An object of one client is found by nobody who does not know of it.
      const isOwn = settings.topology !== "compact" && settings.sessionShards === 0;
      if (isOwn) await context.get("directory").enter({ object, clientId, userName, address: "" });
      outcomes.push(await sessionsOf(env)(object).takeSession(session, replaces(context)));
    }
    const names = all.map(({ clientId }) => clientId);
    return context.json(report(names, outcomes));
  })
  .get("/retained", async (context) => {
    const { items, cursor } = await orBadRequest(() => retainedPage(walkOf(context)));
    return context.json({ data: items.map(retainedView), meta: { cursor } });
  })
  .post("/retained", async (context) => {
    const walk = walkOf(context);
    const list = await bodyList(context.req.raw, PORTABLE_BODY_BYTES_MAX);
    if (list.length > RETAINED_PER_CALL) refuse("BAD_REQUEST", `One request brings at most ${RETAINED_PER_CALL} retained messages.`);
    const all = list.map((each) => retainedOf(each, walk.settings.limits));
    const names = all.map(({ topic }) => topic);
    return context.json(report(names, await keepRetained(walk, all, replaces(context))));
  })
  .get("/users", async (context) => {
    const entries = await context.get("directory").entriesAfter(context.req.query("cursor") ?? "", DIRECTORY_USERS_PER_CALL);
    const data = entries.map(({ user, password, rights }) => ({
      kind: "user",
      user_id: user,
      password_hash: password,
      ...rightsView(rights ?? "{}"),
    }));
    return context.json({ data, meta: { cursor: entries.length < DIRECTORY_USERS_PER_CALL ? undefined : entries.at(-1)!.user } });
  });

function walkOf(context: Context<ApiContext>): Walk {
  const { settings, namespace } = context.var;
  return { env: context.env, settings, namespace, cursor: context.req.query("cursor") };
}

/** Whether what is there goes. */
function replaces(context: Context<ApiContext>): boolean {
  const text = context.req.query("replace") ?? "false";
  return text === "true" || (text !== "false" && refuse("BAD_REQUEST", "replace must be true or false."));
}

/** What became of what was brought, and of each that could not be taken why. */
function report(names: readonly string[], outcomes: readonly TakenSession[]): object {
  const count = (kind: TakenSession): number => outcomes.filter((outcome) => outcome === kind).length;
  const problems = outcomes.flatMap((outcome, index) =>
    typeof outcome === "object" ? [{ index, name: names[index]!, message: outcome.problem }] : [],
  );
  return { taken: count("taken"), there: count("there"), problems };
}

function retainedView({ topic, payload, qos, properties }: HookMessage): object {
  const { messageExpiryInterval: seconds } = properties;
  const expiresAt = seconds === undefined ? 0 : PLATFORM.now() + seconds * 1000;
  return {
    kind: "retained",
    topic,
    payload: base64Of(payload),
    qos,
    properties: propertiesView(properties),
    expires_at: timeText(expiresAt),
  };
}

const RETAINED = ["kind", "topic", "payload", "qos", "properties", "expires_at"];

function retainedOf(value: unknown, limits: Limits): PortableMessage {
  const fields = fieldsOf(value, RETAINED, "A retained message");
  const { kind: _, expires_at, ...message } = fields;
  const { topic, payload, qos, propertyBytes } = publishIn({ ...message, retain: true }, limits);
  return { topic, payload, qos, retain: true, propertyBytes, publisher: "", expiresAt: timeOf({ expires_at }, "expires_at") };
}
