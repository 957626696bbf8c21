/**
 * In the place of bundle.ts where the package is installed: what that makes of the sources was made when the package was, and lies beside the
 * command. The build of the package puts one in the place of the other.
 */
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { modulesOf, type WorkerModule } from "../../testing/modules.ts";

/** Modules that are built lie one folder below. */
const PACKAGE = dirname(dirname(fileURLToPath(import.meta.url)));

/** Where the page's files are. */
export const PAGE_FOLDER = join(PACKAGE, "page");

/** @returns the Worker of the local broker, the only one that is asked for */
export function workerModules(): Promise<WorkerModule[]> {
  return modulesOf(join(PACKAGE, "local-worker.js"));
}

/** It is there. */
export async function buildPage(): Promise<void> {}
