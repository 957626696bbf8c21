/** Workers that were built beside this package's modules, as Miniflare is given them: the module itself, and those beside it that it imports. */

import { readFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

export interface WorkerModule {
  readonly type: "ESModule";
  readonly path: string;
  readonly contents: string;
}

/** @param file of the Worker @returns it first */
export async function modulesOf(file: string): Promise<WorkerModule[]> {
  const contents = await readFile(file, "utf8");
  const beside = [...contents.matchAll(/\bfrom\s*"\.\/([\w-]+\.js)"/g)].map(([, name]) => modulesOf(join(dirname(file), name!)));
  return [{ type: "ESModule", path: basename(file), contents }, ...(await Promise.all(beside)).flat()];
}
