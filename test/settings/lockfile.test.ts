import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { ROOT } from "../../scripts/build/bundle.ts";

interface LockedPackage {
  version: string;
  integrity?: string;
  dependencies?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
}

const locked = JSON.parse(readFileSync(join(ROOT, "package-lock.json"), "utf8")).packages as Record<string, LockedPackage>;

/** The package that a name means for the package at `path`: the nearest node_modules upwards has it. */
function found(path: string, name: string): LockedPackage | undefined {
  for (let folder = path; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf("/node_modules/")))) {
    const here = locked[`${folder === "" ? "" : `${folder}/`}node_modules/${name}`];
    if (here !== undefined || folder === "") return here;
    if (!folder.includes("/node_modules/")) return locked[`node_modules/${name}`];
  }
}

it("the lock file lists every platform's packages in the wanted version, or npm ci would refuse it", () => {
  const missing: string[] = [];
  for (const [path, { dependencies, optionalDependencies }] of Object.entries(locked)) {
    for (const [name, wanted] of Object.entries({ ...dependencies, ...optionalDependencies })) {
      const version = found(path, name)?.version;
      if (version === undefined || (/^[0-9]+[.][0-9]+[.][0-9]+/.test(wanted) && version !== wanted))
        missing.push(`${path}: ${name} ${wanted}, found ${version}`);
    }
  }
  expect(missing).toEqual([]);
});

it("the lock file says of every package what its contents must be: without that npm ci takes whatever it is given", () => {
  const unchecked = Object.entries(locked).filter(([path, { integrity }]) => path !== "" && !/^sha512-/.test(integrity ?? ""));
  expect(unchecked.map(([path]) => path)).toEqual([]);
});
