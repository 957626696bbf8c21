/**
 * The frame of all commands: finds the one that is called and loads no other, has one style of help, and makes of whatever goes wrong a
 * sentence on the standard error and an exit code (problem.ts).
 */

import { Command, CommanderError, Help, type Option } from "commander";
import { callOf } from "./calling.ts";
import { EXIT_DONE, EXIT_FAILED, EXIT_USAGE, Problem, UsageProblem } from "./problem.ts";

export type { Command };

/** A command of the program, by its own module. */
export interface CommandEntry {
  readonly name: string;
  /** In the list of all commands: what it does, in a few words. */
  readonly summary: string;
  /** Its module, which is loaded when it is called: `define` gives it arguments, options and an action. */
  readonly load: () => Promise<{ readonly define: (command: Command) => void }>;
}

const EPILOGUE = "Exit codes: 0 done, 1 it could not be done, 2 it was called in a wrong way.";

/**
 * Runs what the arguments say.
 * @param args without Node and the script
 * @returns the exit code, when the command is over
 */
export async function runProgram(entries: readonly CommandEntry[], version: string, args: readonly string[]): Promise<number> {
  const asked = args[0] === "help" && args.length > 1 ? [...args.slice(1), "--help"] : args;
  const program = new Command("durable-mqtt");
  // What is said here holds for all commands: they take it over.
  program
    .exitOverride()
    .enablePositionalOptions()
    .configureOutput({ outputError: () => {} });
  program.configureHelp({ commandUsage: usageOf, optionDescription }).helpOption("-h, --help", "shows this").helpCommand(false);
  program
    .description("An MQTT broker on Cloudflare Workers, and what goes with it.")
    .version(version, "-V, --version", "shows the version");
  program.addHelpText("after", `\n${EPILOGUE}\n${callOf()} COMMAND --help explains a command.`);
  let called = program;
  try {
    for (const { name, summary, load } of entries) {
      const command = program.command(name).summary(summary).helpCommand(false);
      if (asked[0] !== name) continue;
      (await loaded(name, load)).define(command);
      called = calledOf(command, asked.slice(1));
    }
    await program.parseAsync(asked.length === 0 ? ["--help"] : asked, { from: "user" });
    return Number(process.exitCode ?? EXIT_DONE);
  } catch (error) {
    return report(error, called);
  }
}

/**
 * Loads what a command needs.
 * @throws Problem when the machine does not have it: a package that is large, or a newer Node
 */
export async function loaded<Module>(name: string, load: () => Promise<Module>): Promise<Module> {
  try {
    return await load();
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const [, missing] = /^Cannot find package '([^']+)'/.exec(message) ?? [];
    if (code === "ERR_MODULE_NOT_FOUND" && missing !== undefined)
      throw new Problem(
        `${name} needs the package ${missing}, which is not installed. Try: npx -p ${missing} -p durable-mqtt durable-mqtt ${name}`,
      );
    if (code === "ERR_UNKNOWN_BUILTIN_MODULE") throw new Problem(`${name} needs Node.js 22.13 or newer, this is ${process.versions.node}.`);
    throw error;
  }
}

/** The command of a command that the arguments mean. */
function calledOf(command: Command, args: readonly string[]): Command {
  const next = command.commands.find((each) => each.name() === args[0]);
  return next === undefined ? command : calledOf(next, args.slice(1));
}

/** From below the program down. */
function namesOf(command: Command): string[] {
  return command.parent === null ? [] : [...namesOf(command.parent), command.name()];
}

function wayTo(command: Command): string {
  const [name, ...rest] = namesOf(command);
  return [callOf(name), ...rest].join(" ");
}

function usageOf(command: Command): string {
  const written = ["durable-mqtt", ...namesOf(command)].join(" ");
  return wayTo(command) + new Help().commandUsage(command).slice(written.length);
}

/** That a flag is not set, and a list empty, goes without saying. */
function optionDescription(option: Option): string {
  const { defaultValue, description } = option;
  const isEmpty = defaultValue === false || (Array.isArray(defaultValue) && defaultValue.length === 0);
  return isEmpty ? description : new Help().optionDescription(option);
}

/** Says what went wrong, a line each. @returns the exit code */
function report(error: unknown, called: Command): number {
  const help = `Try: ${wayTo(called)} --help`;
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return EXIT_DONE;
    // A command of commands without one of them: it has shown its help.
    return error.code === "commander.help" ? EXIT_USAGE : tell(`${sentenceOf(error.message)} ${help}`, EXIT_USAGE);
  }
  if (error instanceof UsageProblem) return tell(`${error.message} ${help}`, error.exitCode);
  if (error instanceof Problem) return tell(error.message, error.exitCode);
  if (process.env.DURABLE_MQTT_DEBUG) console.error(error);
  return tell(`It failed: ${error instanceof Error ? error.message.split("\n", 1)[0] : String(error)}`, EXIT_FAILED);
}

/** What the library says, as a sentence on one line. */
function sentenceOf(message: string): string {
  const text = message.replace(/^error: /, "").replace(/\n\(Did you mean (.*?)\?\)/, (_all, name: string) => ` (did you mean ${name}?)`);
  const line = text.replace(/\s*\n\s*/g, " ");
  return `${line.slice(0, 1).toUpperCase()}${line.slice(1).replace(/\.$/, "")}.`;
}

/** @returns the exit code */
export function tell(sentences: string, exitCode: number): number {
  for (const line of sentences.split("\n")) console.error(`durable-mqtt: ${line}`);
  return exitCode;
}
