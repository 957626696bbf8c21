/** Passwords that people type, or that come through a pipe. */

import { text } from "node:stream/consumers";

const ENTER = new Set(["\r", "\n", "\u0004"]);
const INTERRUPT = "\u0003";
const BACKSPACE = new Set(["\u007f", "\b"]);

/** Reads a line from the terminal without showing it. */
async function ask(question: string): Promise<string> {
  const { stdin, stderr } = process;
  stderr.write(question);
  stdin.setRawMode(true);
  stdin.setEncoding("utf8");
  let line = "";
  try {
    for await (const chunk of stdin) {
      for (const character of String(chunk)) {
        if (ENTER.has(character)) return line;
        if (character === INTERRUPT) process.exit(130);
        line = BACKSPACE.has(character) ? [...line].slice(0, -1).join("") : line + character;
      }
    }
    return line;
  } finally {
    stdin.setRawMode(false);
    stderr.write("\n");
  }
}

/** @param argument what stands on the command line, if anything does */
export async function readPassword(argument: string | undefined): Promise<string> {
  if (argument !== undefined) return argument;
  if (process.stdin.isTTY) return ask("Password: ");
  return (await text(process.stdin)).replace(/\r?\n$/, "");
}
