/** The version of the package, and of what goes with it, as its package.json has them. */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** Two folders above this file here, and where it was built as many as the build likes. */
function packageFile(folder: string): string {
  const file = join(folder, "package.json");
  return existsSync(file) ? file : packageFile(dirname(folder));
}

const { version, devDependencies } = JSON.parse(readFileSync(packageFile(dirname(fileURLToPath(import.meta.url))), "utf8")) as {
  readonly version: string;
  readonly devDependencies: Readonly<Record<string, string>>;
};

export const VERSION = version;

/** @returns the versions of a package that go with this one: the one that this one was tested with, and newer ones that are compatible */
export function versionsOf(name: string): string {
  return `^${devDependencies[name]}`;
}
