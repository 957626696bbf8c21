/** `GET /metrics`: who may read it, which objects are asked, and how long they are waited for. */

import { DEFAULT_NAMESPACE, sentence } from "../edge/answers.ts";
import { type BrokerEnv, stubs } from "../objects/env.ts";
import { inTime } from "../objects/in-time.ts";
import type { Figures } from "../objects/meter.ts";
import { objectsOf } from "../objects/names.ts";
import { PLATFORM } from "../runtime.ts";
import type { Settings } from "../settings.ts";
import { digestOf, keyShown } from "./bearer.ts";
import { type Asked, exposition } from "./metrics.ts";

/** How long an object is waited for, milliseconds: less than the 10 s after which Prometheus gives a scrape up. */
const ASK_MS_MAX = 4000;

const CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** The answer to a request that may not read the metrics; undefined for one that may. */
export async function refusal(request: Request, settings: Settings): Promise<Response | undefined> {
  if (settings.metricsToken === "") return sentence(404, "Metrics are closed. The operator opens them with the secret METRICS_TOKEN.");
  const shown = await keyShown(request, settings, "/metrics", [{ digest: await digestOf(settings.metricsToken) }]);
  if (!("kind" in shown)) return undefined;
  if (shown.kind === "too many were wrong") return sentence(429, "Too many tokens from this address were wrong; try again later.");
  return sentence(401, "Metrics are read with the header Authorization: Bearer, and the token in METRICS_TOKEN.", {
    "WWW-Authenticate": 'Bearer realm="metrics"',
  });
}

/** Which namespaces are told of: the one that is asked for, or all that are configured. */
export function namespacesOf(settings: Settings, asked: string | undefined): readonly string[] {
  if (asked !== undefined) return [asked];
  return settings.namespaces === "*" ? [DEFAULT_NAMESPACE] : settings.namespaces;
}

/** Of objects that can be named, all asked at once. One that fails or is late is reported as not up. */
export async function askedOf(
  env: Pick<BrokerEnv, "SESSIONS" | "TOPICS">,
  settings: Settings,
  namespaces: readonly string[],
): Promise<Asked[]> {
  const questions: Promise<Asked>[] = [];
  const session = stubs(env.SESSIONS);
  const topic = stubs(env.TOPICS);
  for (const namespace of namespaces) {
    const { sessions, topics } = objectsOf(settings, namespace);
    for (const object of sessions) questions.push(ask(object, () => session(object).figures()));
    for (const object of topics) questions.push(ask(object, () => topic(object).figures()));
  }
  return Promise.all(questions);
}

export async function scrape(
  env: Pick<BrokerEnv, "SESSIONS" | "TOPICS">,
  settings: Settings,
  namespaces: readonly string[],
): Promise<Response> {
  const text = exposition(await askedOf(env, settings, namespaces));
  return new Response(text, { headers: { "Content-Type": CONTENT_TYPE, "Cache-Control": "no-store" } });
}

async function ask(object: string, figures: () => Promise<Figures>): Promise<Asked> {
  return { object, figures: await answerOf(figures) };
}

/** @returns undefined when an object fails, such as one of a build that does not know the question, or is late */
export async function answerOf<Answer>(question: () => Promise<Answer>): Promise<Answer | undefined> {
  try {
    return await inTime(question(), ASK_MS_MAX, PLATFORM);
  } catch {
    return undefined;
  }
}
