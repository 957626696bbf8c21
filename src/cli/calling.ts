/** How its user calls a command, for help and for sentences that say what to do: by npm in the repository, by npx where the package is. */

/** In the repository the sources run as they are. */
const IS_SOURCE = import.meta.url.endsWith(".ts");

/** Commands that are npm scripts of the repository, too. */
const SCRIPTS = ["user", "ban", "token", "api-token", "hash-password", "backup", "restore"];

/** @param name of a command; without one, the program @returns what stands before the command's own arguments */
export function callOf(name?: string): string {
  if (!IS_SOURCE) return name === undefined ? "durable-mqtt" : `npx durable-mqtt ${name}`;
  if (name === "start") return "npm start --";
  if (name !== undefined && SCRIPTS.includes(name)) return `npm run ${name} --`;
  return name === undefined ? "npm run command --" : `npm run command -- ${name}`;
}

/** The same for a sentence, where no arguments follow. */
export function nameOf(name: string): string {
  return callOf(name).replace(/ --$/, "");
}
