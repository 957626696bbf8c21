/** `/api/v5/authorization/check`: rights tried out, for operators who ask whether somebody may do something. */

import * as z from "zod/mini";
import type { Intent } from "../auth/deciding-rule.ts";
import { parseAddress } from "../directory/network.ts";
import { authOf } from "../objects/auth-of.ts";
import { directoryOf } from "../objects/directory-of.ts";
import { stubs } from "../objects/env.ts";
import { directoryObjectName } from "../objects/names.ts";
import { PLATFORM } from "../runtime.ts";
import { parseFilter, topicFilterOf } from "../topic/filter.ts";
import { isTopicProblem, validateTopicName } from "../topic/name.ts";
import { json } from "./body.ts";
import type { Admitted } from "./context.ts";
import { QOS } from "./message.ts";
import { refuse } from "./problem.ts";
import { route } from "./route.ts";
import { about, FLAG, fields, type Given, oneOf, readAs, TEXT, told } from "./schema.ts";

const ADDRESS = readAs((text) => (parseAddress(text) === undefined ? undefined : text), "an IPv4 or IPv6 address");

const QUESTION = fields(() => ({
  username: about("Whose rights; missing: those of a client without a user name.", z.optional(TEXT)),
  clientid: about("Rules may name it, and bans.", z._default(TEXT, "")),
  ip_address: about("The same.", z.optional(ADDRESS)),
  action: oneOf(["publish", "subscribe"]),
  topic: about("A Topic Name, or for subscribe a Topic Filter.", TEXT),
  qos: z._default(QOS, 0),
  retain: about("Of a PUBLISH.", z._default(FLAG, false)),
}));

const ANSWER = told(() => ({
  result: oneOf(["allow", "deny"]),
  reason: about("A sentence.", TEXT),
  rule: about("Where the rule stands that decides it, such as ACL[2]; missing where none does.", z.optional(TEXT)),
  not_asked: about("Who was not asked and could say something else, each a sentence: tokens, hooks, code.", z.array(TEXT)),
}));

export const AUTHORIZATION = [
  route({
    method: "POST",
    path: "/authorization/check",
    scope: "admin",
    summary: "Whether somebody may publish or subscribe, as far as the broker knows without a login",
    body: json(QUESTION),
    answers: { 200: ANSWER },
    handle: async (asked) => {
      const { body, env, settings, hooks, namespace } = asked;
      const intent = intentOf(asked, body);
      const directory = directoryOf(env, settings, PLATFORM);
      const { judge } = authOf(settings, PLATFORM, { directory, service: env.AUTH, hooks });
      const { username: userName, clientid: clientId, ip_address: address = "" } = body;
      // Not what this isolate remembers: an operator has just changed it.
      const looked = directory && (await stubs(env.DIRECTORY!)(directoryObjectName(namespace)).look(userName, -1));
      const { allows, reason, rule, notAsked } = judge({ userName, clientId, address }, looked, intent, PLATFORM.now());
      const ofCode = hooks.authorize === undefined ? [] : ["The function authorize of the Worker's code is asked before all rules."];
      const answer = { result: allows ? "allow" : "deny", reason, not_asked: [...ofCode, ...notAsked] } as const;
      return { status: 200, body: { ...answer, ...(rule !== undefined && { rule }) } };
    },
  }),
];

function intentOf({ settings: { limits } }: Admitted, { action, topic, qos, retain }: Given<typeof QUESTION>): Intent {
  const problem = action === "publish" ? validateTopicName(topic, limits) : parseFilter(topic, limits);
  if (isTopicProblem(problem)) return refuse("BAD_REQUEST", `topic: ${problem.message}`);
  return { action, topic: action === "publish" ? topic : topicFilterOf(topic), qos, retain };
}
