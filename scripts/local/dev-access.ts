/**
 * Who may connect to `npm run dev`: as with `npm start`, everybody where only programs on this machine can reach it and no users are
 * named. `wrangler dev` by itself has the settings of a deploy, which lets nobody in.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { unstable_getVarsForDev as getVarsForDev } from "wrangler";
import { ACCESS_SETTINGS } from "../../src/settings.ts";
import { isLoopback } from "./loopback.ts";

/** What opens `wrangler dev` to others, beside another `--ip`. */
const REACHABLE = ["--remote", "-r", "--tunnel", "--tunnel-name", "--tunnelName"];

/**
 * @param args what `wrangler dev` is given
 * @param folder where wrangler.toml and `.dev.vars` are
 * @returns what it is to be given beside that: what lets everybody on this machine in and nobody else; or nothing
 */
export function openingArguments(args: readonly string[], folder: string): readonly string[] {
  const text = { type: "string" } as const;
  const options = { ip: text, env: { ...text, short: "e" }, "env-file": { ...text, multiple: true } } as const;
  const { ip, env, "env-file": files } = parseArgs({ args: [...args], strict: false, options }).values;
  if ((ip !== undefined && !isLoopback(String(ip))) || args.some((argument) => REACHABLE.includes(argument.split("=")[0]!))) return [];
  const given = getVarsForDev(join(folder, "wrangler.toml"), files?.map(String), {}, env?.toString(), true);
  // Where it is said who may connect, nothing is added.
  const isSaid = (name: string): boolean => name in given || args.some((argument) => argument.replace("--var=", "").startsWith(`${name}:`));
  if (ACCESS_SETTINGS.some(isSaid)) return [];
  // Among the keys that wrangler listens to is one that opens a tunnel from everywhere to here.
  // Other names that mean this machine are those that a page has made so.
  const hosts = isSaid("ALLOWED_HOSTS") ? [] : ["ALLOWED_HOSTS:loopback"];
  const opening = ["--var", "ALLOW_ANONYMOUS:true", ...hosts, "--show-interactive-dev-session=false"];
  return ip === undefined ? [...opening, "--ip", "127.0.0.1"] : opening;
}
