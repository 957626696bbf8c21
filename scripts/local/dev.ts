/** `npm run dev`: `wrangler dev`, which gets all arguments, and as open as `npm start` is (dev-access.ts says when). */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { ROOT } from "../build/bundle.ts";
import { openingArguments } from "./dev-access.ts";

const args = process.argv.slice(2);
const opening = openingArguments(args, ROOT);
console.log(
  opening.length > 0
    ? "durable-mqtt: every program on this machine may connect (ALLOW_ANONYMOUS=true), other machines cannot reach it. Ctrl-C stops it."
    : "durable-mqtt: the settings say who may connect; where they do not, nobody may. Ctrl-C stops it.",
);
const command = join(ROOT, "node_modules", "wrangler", "bin", "wrangler.js");
const wrangler = spawn(process.execPath, [command, "dev", ...args, ...opening], { cwd: ROOT, stdio: "inherit" });
// A terminal sends Ctrl-C to both; this process waits for wrangler, which puts things in order first.
process.on("SIGINT", () => {});
for (const signal of ["SIGTERM", "SIGHUP"] as const) process.on(signal, () => wrangler.kill(signal));
wrangler.on("exit", (code, signal) => process.exit(code ?? (signal === "SIGINT" ? 130 : 1)));
