#!/usr/bin/env node
/** The command `durable-mqtt`, in the package and here, where npm scripts call it. What its commands share is in src/cli. */

import module from "node:module";
import { EXIT_DONE, EXIT_FAILED } from "../../src/cli/problem.ts";
import { runProgram } from "../../src/cli/program.ts";
import { COMMANDS } from "./commands.ts";
import { VERSION } from "./version.ts";

// Whoever has read enough closes the pipe: that is no failure.
process.stdout.on("error", ({ code }: NodeJS.ErrnoException) => process.exit(code === "EPIPE" ? EXIT_DONE : EXIT_FAILED));

// What was compiled once is not compiled again; it matters most for Miniflare.
module.enableCompileCache?.();
process.exitCode = await runProgram(COMMANDS, VERSION, process.argv.slice(2));
