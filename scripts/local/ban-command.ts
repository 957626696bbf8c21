/** `npm run ban`: shuts clients out of a running broker, and lets them in again. See docs/operations.md, Bans. */
import { partOf } from "../../src/api/path-part.ts";
import { durationMs } from "../../src/auth/directory-settings.ts";
import { UsageProblem } from "../../src/cli/problem.ts";
import type { Command } from "../../src/cli/program.ts";
import { BAN_KINDS } from "../../src/directory/bans.ts";
import { ADMIN_HELP, AdminClient, type AdminOptions, adminOptions } from "./admin-client.ts";

interface BanView {
  readonly as: string;
  readonly who: string;
  readonly by: string;
  readonly reason: string;
  readonly until: string;
}

type Target = { readonly [Kind in (typeof BAN_KINDS)[number]]?: string };

interface Adding extends AdminOptions, Target {
  readonly reason?: string;
  readonly by?: string;
  readonly until?: string;
}

export function define(command: Command): void {
  command
    .description("Shuts clients out of a running broker: new connections at once, live ones within seconds.")
    .addHelpText("after", ADMIN_HELP);
  adminOptions(targetOptions(command.command("add").summary("shuts out whom one of the options names")))
    .option("--reason <text>", "for whoever reads the list")
    .option("--by <name>", "who says so")
    .option("--until <time>", "a time such as 2026-12-24T18:00:00Z, or how long: 30m, 12h, 7d; infinity")
    .action(add);
  adminOptions(targetOptions(command.command("remove").summary("lets in again whom one of the options names"))).action(remove);
  adminOptions(command.command("list").summary("lists who is shut out")).option("--json", "a JSON object on each line").action(list);
}

function targetOptions(command: Command): Command {
  return command
    .option("--clientid <id>", "a Client Identifier")
    .option("--username <name>", "a user")
    .option("--peerhost <address>", "an address")
    .option("--peerhost_net <network>", "a network, such as 192.0.2.0/24")
    .option("--clientid_re <pattern>", "Client Identifiers by a regular expression")
    .option("--username_re <pattern>", "users by a regular expression");
}

/** A time, or how long from now. */
function untilOf(text: string | undefined): string | undefined {
  const ms = text === undefined ? Number.NaN : durationMs(text);
  return Number.isNaN(ms) ? text : new Date(Date.now() + ms).toISOString();
}

function targetOf(options: Target): { readonly as: string; readonly who: string } {
  const given = BAN_KINDS.filter((kind) => options[kind] !== undefined);
  if (given.length !== 1) throw new UsageProblem(`Who? One of ${BAN_KINDS.map((kind) => `--${kind}`).join(", ")} was expected.`);
  return { as: given[0]!, who: options[given[0]!]! };
}

async function add(options: Adding): Promise<void> {
  const { reason, by } = options;
  const ban = { ...targetOf(options), reason, by, until: untilOf(options.until) };
  const { as, who, until } = await new AdminClient(options).call<BanView>("POST", "/banned", ban);
  console.log(`${as} ${who} is banned ${until === "infinity" ? "for ever" : `until ${until}`}.`);
}

async function remove(options: AdminOptions & Target): Promise<void> {
  const { as, who } = targetOf(options);
  const { part, query } = partOf("who", who);
  await new AdminClient(options).call("DELETE", `/banned/${as}/${part}${query}`);
  console.log(`${as} ${who} is banned no more.`);
}

async function list(options: AdminOptions & { readonly json?: true }): Promise<void> {
  const { data } = await new AdminClient(options).call<{ data: BanView[] }>("GET", "/banned", undefined, { limit: "1000" });
  for (const ban of data) console.log(options.json ? JSON.stringify(ban) : [ban.as, ban.who, ban.until, ban.by, ban.reason].join("\t"));
  if (data.length === 0) console.error("Nobody is banned.");
}
