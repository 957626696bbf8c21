/** `npm run ban`: shuts clients out of a running broker, and lets them in again. See docs/operations.md, Bans. */
import { parseArgs } from "node:util";
import { durationMs } from "../../src/auth/directory-settings.ts";
import { BAN_KINDS } from "../../src/directory/bans.ts";
import { ADMIN_HELP, ADMIN_OPTIONS, AdminClient, AdminProblem, fail, runCommand } from "./admin-client.ts";

const HELP = `Shuts clients out of a running broker: new connections at once, live ones within seconds.

  npm run ban -- add --clientid X | --username X | --peerhost ADDRESS | --peerhost_net NETWORK | --clientid_re RE | --username_re RE
                     [--reason TEXT] [--by NAME] [--until 2026-12-24T18:00:00Z | 30m | 12h | 7d | infinity]
  npm run ban -- remove --clientid X ...
  npm run ban -- list

${ADMIN_HELP}`;

const TEXT = { type: "string" } as const;

interface BanView {
  readonly as: string;
  readonly who: string;
  readonly by: string;
  readonly reason: string;
  readonly until: string;
}

function options() {
  const kinds = { clientid: TEXT, username: TEXT, peerhost: TEXT, peerhost_net: TEXT, clientid_re: TEXT, username_re: TEXT } as const;
  try {
    return parseArgs({ options: { ...ADMIN_OPTIONS, ...kinds, reason: TEXT, by: TEXT, until: TEXT }, allowPositionals: true });
  } catch (error) {
    return fail(`${(error as Error).message}\n\n${HELP}`, 2);
  }
}

/** A time, or how long from now. */
function untilOf(text: string | undefined): string | undefined {
  const ms = text === undefined ? Number.NaN : durationMs(text);
  return Number.isNaN(ms) ? text : new Date(Date.now() + ms).toISOString();
}

const { values, positionals } = options();
const [action, ...rest] = positionals;
if (values.help) {
  console.log(HELP);
  process.exit(0);
}

function target(): { readonly as: string; readonly who: string } {
  const given = BAN_KINDS.filter((kind) => values[kind] !== undefined);
  if (given.length !== 1) throw new AdminProblem(`Who? One of ${BAN_KINDS.map((kind) => `--${kind}`).join(", ")} was expected.`);
  return { as: given[0]!, who: values[given[0]!]! };
}

await runCommand(async () => {
  if (rest.length > 0 || !["add", "remove", "list"].includes(action ?? "")) fail(HELP, 2);
  const client = new AdminClient(values);
  if (action === "add") {
    const { reason, by } = values;
    const { as, who, until } = await client.call<BanView>("POST", "/banned", { ...target(), reason, by, until: untilOf(values.until) });
    console.log(`${as} ${who} is banned ${until === "infinity" ? "for ever" : `until ${until}`}.`);
  } else if (action === "remove") {
    const { as, who } = target();
    await client.call("DELETE", `/banned/${as}/${encodeURIComponent(who)}`);
    console.log(`${as} ${who} is banned no more.`);
  } else {
    const { data } = await client.call<{ data: BanView[] }>("GET", "/banned", undefined, { limit: "1000" });
    for (const { as, who, by, reason, until } of data) console.log([as, who, until, by, reason].join("\t"));
    if (data.length === 0) console.error("Nobody is banned.");
  }
});
