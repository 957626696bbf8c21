/** `/api/v5/banned`: who is shut out, in the form of EMQX. */

import { Hono } from "hono";
import { BAN_KINDS, type Ban, type BanKind } from "../directory/bans.ts";
import { PLATFORM } from "../runtime.ts";
import { bodyFields, requiredText, textOf } from "./body.ts";
import type { ApiContext } from "./context.ts";
import { pageAsk, pageOf } from "./pages.ts";
import { problem, refuse } from "./problem.ts";

const FIELDS = ["as", "who", "by", "reason", "at", "until"];
const FOREVER = "infinity";

export const banned = new Hono<ApiContext>()
  .get("/", async (context) => {
    const bans = await context.get("directory").bans();
    return context.json(
      pageOf(
        bans.map(viewOf),
        pageAsk((name) => context.req.query(name)),
      ),
    );
  })
  .post("/", async (context) => {
    const ban = banOf(await bodyFields(context.req.raw, FIELDS));
    const wrong = await context.get("directory").putBan(ban);
    return wrong === undefined ? context.json(viewOf(ban)) : problem("BAD_REQUEST", `This can't be banned: ${wrong}.`);
  })
  .delete("/:as/:who{.+}", async (context) => {
    const { as, who } = context.req.param();
    const wasThere = await context.get("directory").removeBan(kindOf(as), who);
    return wasThere ? context.body(null, 204) : problem("NOT_FOUND", "There is no such ban.");
  });

function kindOf(as: string): BanKind {
  return BAN_KINDS.find((kind) => kind === as) ?? refuse("BAD_REQUEST", `as must be one of ${BAN_KINDS.join(", ")}.`);
}

function banOf(fields: Parameters<typeof textOf>[0]): Ban {
  const now = PLATFORM.now();
  const until = textOf(fields, "until") ?? FOREVER;
  const ban = {
    kind: kindOf(requiredText(fields, "as")),
    who: requiredText(fields, "who"),
    by: textOf(fields, "by") ?? "admin",
    reason: textOf(fields, "reason") ?? "",
    at: timeOf(textOf(fields, "at"), "at") ?? now,
    until: until === FOREVER ? Number.POSITIVE_INFINITY : timeOf(until, "until")!,
  };
  return ban.until > now ? ban : refuse("BAD_REQUEST", "until must be a time to come.");
}

/** RFC 3339. */
function timeOf(text: string | undefined, name: string): number | undefined {
  if (text === undefined) return undefined;
  const isTime = /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/.test(text);
  const time = isTime ? Date.parse(text.toUpperCase().replace(" ", "T")) : Number.NaN;
  const form = 'such as "2026-12-24T18:00:00Z"';
  return Number.isNaN(time) ? refuse("BAD_REQUEST", `${name} must be a time ${form}${name === "until" ? ` or "${FOREVER}"` : ""}.`) : time;
}

function viewOf({ kind, who, by, reason, at, until }: Ban): object {
  const text = (time: number): string => (time === Number.POSITIVE_INFINITY ? FOREVER : new Date(time).toISOString());
  return { as: kind, who, by, reason, at: text(at), until: text(until) };
}
