/** `/api/v5/presence`: who is there under a Topic Filter. */

import * as z from "zod/mini";
import { BY_CURSOR, NEXT, nextOf, pageOf } from "./pages.ts";
import { orBadRequest } from "./problem.ts";
import { route } from "./route.ts";
import { about, TEXT, told } from "./schema.ts";

const MEMBER = told(() => ({ clientid: TEXT, username: z.nullable(TEXT) }));

export const PRESENCE = [
  route({
    method: "GET",
    path: "/presence",
    scope: "read",
    summary: "Clients that are connected and subscribed to this very Topic Filter; a page may have few, or none, and not be the last",
    query: { ...BY_CURSOR, filter: about("A Topic Filter as it was subscribed to, without $share/NAME/.", TEXT) },
    answers: { 200: pageOf(MEMBER, { limit: z.int(), ...NEXT }) },
    handle: async ({ service, namespace, query: { limit, cursor, filter } }) => {
      const found = await orBadRequest(() => service.members(filter, { cursor, limit, namespace }));
      return { status: 200, body: { data: found.members.map((member) => ({ ...member })), meta: { limit, ...nextOf(found.cursor) } } };
    },
  }),
];
