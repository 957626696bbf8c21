/**
 * `/api/v5/portable`: all that a namespace keeps, page by page, for another broker or another topology of this one, and the way in. What is
 * there already stays what it is, so that to bring something twice does nothing; or goes (`?replace=true`). Users come in as others do, bans go both ways as others do.
 */

import * as z from "zod/mini";
import { PAGE_CALLS_MAX } from "../code-limits.ts";
import type { Presence } from "../directory/news.ts";
import type { HookMessage } from "../hooks/contract.ts";
import type { Limits } from "../limits.ts";
import { DIRECTORY_USERS_PER_CALL, PORTABLE_BODY_BYTES_MAX } from "../login-limits.ts";
import type { DirectoryCalls, TakenSession } from "../objects/calls.ts";
import { sessionObjectName } from "../objects/names.ts";
import { PLATFORM } from "../runtime.ts";
import type { PortableMessage } from "../session/portable.ts";
import { lines } from "./body.ts";
import { base64Of } from "./message.ts";
import { CURSOR } from "./pages.ts";
import { MESSAGE_FIELDS, MESSAGE_TOLD, propertiesView, publishIn, TIME, timeText } from "./portable-message.ts";
import { SESSION, SESSION_TOLD, sessionOf, sessionView } from "./portable-session.ts";
import { keepRetained, retainedPage, sessionsOf, sessionsPage, type Walk } from "./portable-walk.ts";
import { orBadRequest } from "./problem.ts";
import { RIGHTS_VIEW, rightsView } from "./rights.ts";
import { type Asked, route } from "./route.ts";
import { about, FLAG, fields, type Given, TEXT, type Told, told } from "./schema.ts";

/** Retained messages in one request. */
const RETAINED_PER_CALL = 1000;

const FROM = { cursor: CURSOR };
const WAY_IN = { replace: about("Whether what is there goes.", z._default(FLAG, false)) };
const NEXT = { cursor: z.optional(TEXT) };

const { retain: _always, ...OF_RETAINED } = MESSAGE_FIELDS;
const RETAINED = fields(() => ({ kind: z.optional(TEXT), ...OF_RETAINED, expires_at: z._default(TIME, 0) }));
const RETAINED_TOLD = told(() => ({ kind: z.literal("retained"), ...MESSAGE_TOLD, expires_at: z.optional(TEXT) }));
const USER_TOLD = told(() => ({ kind: z.literal("user"), user_id: TEXT, password_hash: z.optional(TEXT), ...RIGHTS_VIEW }));

const REPORT = told(() => ({
  taken: z.int(),
  there: about("Those that were there already.", z.int()),
  problems: z.array(told(() => ({ index: z.int(), name: TEXT, message: TEXT }))),
}));

export const PORTABLE = [
  route({
    method: "GET",
    path: "/portable/sessions",
    scope: "admin",
    needsDirectory: true,
    summary: "Sessions for an export",
    query: FROM,
    answers: { 200: told(() => ({ data: z.array(SESSION_TOLD), meta: told(() => ({ ...NEXT, too_large: z.array(TEXT) })) })) },
    handle: async (asked) => {
      const { items, tooLarge, cursor } = await orBadRequest(() => sessionsPage(walkOf(asked, asked.query.cursor), asked.directory));
      return { status: 200, body: { data: items.map(sessionView), meta: { cursor, too_large: tooLarge } } };
    },
  }),
  route({
    method: "POST",
    path: "/portable/sessions",
    scope: "admin",
    needsDirectory: true,
    summary: "Takes sessions of an export",
    query: WAY_IN,
    body: lines(SESSION, PAGE_CALLS_MAX, "sessions", PORTABLE_BODY_BYTES_MAX),
    answers: { 200: REPORT },
    handle: async ({ env, settings, namespace, directory, query: { replace }, body }) => {
      const all = body.map((each) => sessionOf(each, settings.limits));
      const outcomes: TakenSession[] = [];
      for (const session of all) {
        const { clientId, userName } = session;
        const object = sessionObjectName(settings, namespace, clientId);
        const take = (): Promise<TakenSession> => sessionsOf(env)(object).takeSession(session, replace);
        const isOwn = settings.topology !== "compact" && settings.sessionShards === 0;
        outcomes.push(await (isOwn ? takeKnown(directory, { object, clientId, userName, address: "" }, take) : take()));
      }
      const names = all.map(({ clientId }) => clientId);
      return { status: 200, body: report(names, outcomes) };
    },
  }),
  route({
    method: "GET",
    path: "/portable/retained",
    scope: "admin",
    needsDirectory: true,
    summary: "Retained messages for an export",
    query: FROM,
    answers: { 200: told(() => ({ data: z.array(RETAINED_TOLD), meta: told(() => NEXT) })) },
    handle: async (asked) => {
      const { items, cursor } = await orBadRequest(() => retainedPage(walkOf(asked, asked.query.cursor)));
      return { status: 200, body: { data: items.map(retainedView), meta: { cursor } } };
    },
  }),
  route({
    method: "POST",
    path: "/portable/retained",
    scope: "admin",
    needsDirectory: true,
    summary: "Takes retained messages of an export",
    query: WAY_IN,
    body: lines(RETAINED, RETAINED_PER_CALL, "retained messages", PORTABLE_BODY_BYTES_MAX),
    answers: { 200: REPORT },
    handle: async (asked) => {
      const all = asked.body.map((each) => retainedOf(each, asked.settings.limits));
      const names = all.map(({ topic }) => topic);
      return { status: 200, body: report(names, await keepRetained(walkOf(asked), all, asked.query.replace)) };
    },
  }),
  route({
    method: "GET",
    path: "/portable/users",
    scope: "admin",
    needsDirectory: true,
    summary: "Users for an export, with the hashes of their passwords",
    query: FROM,
    answers: { 200: told(() => ({ data: z.array(USER_TOLD), meta: told(() => NEXT) })) },
    handle: async ({ directory, query: { cursor } }) => {
      const entries = await directory.entriesAfter(cursor ?? "", DIRECTORY_USERS_PER_CALL);
      const data = entries.map(({ user, password, rights }) => ({
        kind: "user" as const,
        user_id: user,
        password_hash: password,
        ...rightsView(rights ?? "{}"),
      }));
      const next = entries.length < DIRECTORY_USERS_PER_CALL ? undefined : entries.at(-1)!.user;
      return { status: 200, body: { data, meta: { cursor: next } } };
    },
  }),
];

function walkOf({ env, settings, namespace }: Pick<Asked, "env" | "settings" | "namespace">, cursor?: string): Walk {
  return { env, settings, namespace, cursor };
}

/** An object of one client is found by nobody who does not know of it. */
async function takeKnown(
  directory: Pick<DirectoryCalls, "expect">,
  presence: Presence,
  take: () => Promise<TakenSession>,
): Promise<TakenSession> {
  const before = await directory.expect(presence, undefined);
  const outcome = await take();
  if (outcome === "taken") await directory.expect(presence, before);
  return outcome;
}

/** What became of what was brought, and of each that could not be taken why. */
function report(names: readonly string[], outcomes: readonly TakenSession[]): Told<typeof REPORT> {
  const count = (kind: TakenSession): number => outcomes.filter((outcome) => outcome === kind).length;
  const problems = outcomes.flatMap((outcome, index) =>
    typeof outcome === "object" ? [{ index, name: names[index]!, message: outcome.problem }] : [],
  );
  return { taken: count("taken"), there: count("there"), problems };
}

function retainedView({ topic, payload, qos, properties }: HookMessage): Told<typeof RETAINED_TOLD> {
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

function retainedOf(given: Given<typeof RETAINED>, limits: Limits): PortableMessage {
  const { topic, payload, qos, propertyBytes } = publishIn({ ...given, retain: true }, limits);
  return { topic, payload, qos, retain: true, propertyBytes, publisher: "", expiresAt: given.expires_at };
}
