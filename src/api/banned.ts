/** `/api/v5/banned`: who is shut out, in the form of EMQX. */

import * as z from "zod/mini";
import { BAN_KINDS, type Ban } from "../directory/bans.ts";
import { PLATFORM } from "../runtime.ts";
import { json } from "./body.ts";
import { BY_NUMBER, NUMBERED, pageIn, pageOf } from "./pages.ts";
import { refuse } from "./problem.ts";
import { NOTHING, route } from "./route.ts";
import { about, fields, oneOf, readAs, TEXT, type Told, told } from "./schema.ts";

const FOREVER = "infinity";
const EXAMPLE = 'such as "2026-12-24T18:00:00Z"';
const AS = about("By what somebody is shut out.", oneOf(BAN_KINDS));
const AT = readAs(timeOf, `a time ${EXAMPLE}`);
const UNTIL = readAs((text) => (text === FOREVER ? Number.POSITIVE_INFINITY : timeOf(text)), `a time ${EXAMPLE} or "${FOREVER}"`);

const BAN = fields(() => ({
  as: AS,
  who: TEXT,
  by: z._default(TEXT, "admin"),
  reason: z._default(TEXT, ""),
  at: about("RFC 3339; now by default.", z.optional(AT)),
  until: about(`RFC 3339, or "${FOREVER}", the default.`, z.optional(UNTIL)),
}));

const VIEW = told(() => ({ as: AS, who: TEXT, by: TEXT, reason: TEXT, at: TEXT, until: TEXT }));

export const BANNED = [
  route({
    method: "GET",
    path: "/banned",
    scope: "admin",
    needsDirectory: true,
    summary: "Who is shut out",
    query: BY_NUMBER,
    answers: { 200: pageOf(VIEW, NUMBERED) },
    handle: async ({ directory, query }) => ({ status: 200, body: pageIn((await directory.bans()).map(viewOf), query) }),
  }),
  route({
    method: "POST",
    path: "/banned",
    scope: "admin",
    needsDirectory: true,
    summary: "Shuts somebody out, and ends the connections that it is about",
    body: json(BAN),
    answers: { 200: VIEW },
    handle: async ({ directory, body }) => {
      const now = PLATFORM.now();
      const { as: kind, who, by, reason, at = now, until = Number.POSITIVE_INFINITY } = body;
      const ban: Ban = { kind, who, by, reason, at, until };
      if (ban.until <= now) return refuse("BAD_REQUEST", "until must be a time to come.");
      const wrong = await directory.putBan(ban);
      return wrong === undefined ? { status: 200, body: viewOf(ban) } : refuse("BAD_REQUEST", `This can't be banned: ${wrong}.`);
    },
  }),
  route({
    method: "DELETE",
    path: "/banned/:as/:who{.+}",
    scope: "admin",
    needsDirectory: true,
    summary: "Lifts a ban",
    params: { as: AS, who: TEXT },
    answers: { 204: NOTHING },
    handle: async ({ directory, params: { as, who } }) =>
      (await directory.removeBan(as, who)) ? { status: 204 } : refuse("NOT_FOUND", "There is no such ban."),
  }),
];

/** RFC 3339. */
function timeOf(text: string): number | undefined {
  const isTime = /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/.test(text);
  const time = isTime ? Date.parse(text.toUpperCase().replace(" ", "T")) : Number.NaN;
  return Number.isNaN(time) ? undefined : time;
}

function viewOf({ kind, who, by, reason, at, until }: Ban): Told<typeof VIEW> {
  const text = (time: number): string => (time === Number.POSITIVE_INFINITY ? FOREVER : new Date(time).toISOString());
  return { as: kind, who, by, reason, at: text(at), until: text(until) };
}
