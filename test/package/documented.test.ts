/** What the package exports says what it is: every name has a comment where it is declared, which editors show. */

import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, it } from "vitest";
import { ROOT } from "../../scripts/build/bundle.ts";

/** The modules of `exports` in package.json. */
const FACES = ["src/index.ts", "src/client/index.ts", "testing/index.ts"];

interface Exported {
  readonly name: string;
  /** From the root. */
  readonly file: string;
}

function exportedBy(face: string): Exported[] {
  const code = readFileSync(join(ROOT, face), "utf8");
  return [...code.matchAll(/export (?:type )?\{([^}]+)\} from "([^"]+)"/g)].flatMap(([, names, from]) =>
    names!
      .split(",")
      .map((name) => name.trim().replace(/^type /, ""))
      .filter((name) => name !== "")
      .map((name) => ({ name, file: join(dirname(face), from!) })),
  );
}

/** Where a name is declared, which may be beyond a face that passes it on, and whether a comment ends right before that. */
function declared({ name, file }: Exported): Exported & { readonly isDocumented: boolean } {
  const code = readFileSync(join(ROOT, file), "utf8");
  const declaration = new RegExp(`^export (?:abstract |async )?(?:interface|type|class|const|function) ${name}\\b`, "m").exec(code);
  if (declaration !== null) return { name, file, isDocumented: /[^*]\*\/\n(?:\/\/[^\n]*\n)*$/.test(code.slice(0, declaration.index)) };
  const passedOn = exportedBy(file).find((exported) => exported.name === name);
  if (passedOn === undefined) throw new Error(`${file}: expected an export of ${name}`);
  return declared(passedOn);
}

it("every exported name is documented", () => {
  const exported = FACES.flatMap(exportedBy);
  expect(exported.length).toBeGreaterThan(50);
  const silent = exported.map(declared).filter(({ isDocumented }) => !isDocumented);
  expect(silent).toEqual([]);
});
