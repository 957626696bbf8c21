/**
 * A Worker beside a deployed broker, for as long as objects of the broker are put back to an earlier moment: it alone can ask them for that.
 * See docs/operations.md, Backups, for its commands. Delete it afterwards.
 */
import type { BrokerEnv } from "../../src/objects/env.ts";

interface RecoveryEnv extends BrokerEnv {
  readonly TOKEN?: string;
}

function sentence(status: number, text: string): Response {
  return new Response(`${text}\n`, { status });
}

/** @returns a time in milliseconds since the epoch, or a bookmark as it is; undefined for what is neither */
function momentOf(to: unknown): number | string | undefined {
  if (typeof to !== "string" || to === "") return undefined;
  const time = Date.parse(to);
  return Number.isNaN(time) ? to : time;
}

export default {
  async fetch(request: Request, env: RecoveryEnv): Promise<Response> {
    const { TOKEN: token = "" } = env;
    if (token.length < 16) return sentence(500, "Deploy this Worker with --var TOKEN: and 16 characters or more.");
    if (request.headers.get("Authorization") !== `Bearer ${token}`) return sentence(401, "The token of the deploy is needed.");
    const { object, to } = (await request.json().catch(() => ({}))) as { object?: unknown; to?: unknown };
    const moment = momentOf(to);
    if (typeof object !== "string" || moment === undefined) {
      return sentence(400, 'JSON is expected: {"object": "default/broker", "to": "2026-11-28T12:00:00Z" or a bookmark}');
    }
    const namespace = /^[^/]+\/topic\/(\d+$|own\/)/.test(object)
      ? env.TOPICS
      : /^[^/]+\/directory$/.test(object)
        ? env.DIRECTORY!
        : env.SESSIONS;
    try {
      const undo = await namespace.get(namespace.idFromName(object)).recover(moment);
      return sentence(200, `${object} goes back. To undo it: ${undo}`);
    } catch (error) {
      return sentence(502, `${object} could not go back: ${error instanceof Error ? error.message : String(error)}`);
    }
  },
};
