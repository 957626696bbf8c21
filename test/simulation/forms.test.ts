/** The table of stored, moved and sent forms has every field that there is, and its mistakes fit the source. */

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { ROOT } from "../../scripts/build/bundle.ts";
import { FIELD_MUTATIONS, FORMS } from "./forms.ts";
import { MUTATIONS } from "./mutations.ts";

const read = (file: string): Promise<string> => readFile(join(ROOT, file), "utf8");

/** Of records that a Session object gets: all fields of records stand in the form of those that a Topic object gets. */
const RECORDS_OF_ALL = ["live", "shares", "shares[].key"];

/** The names of what an interface, or a union of records, says that it has. */
async function fieldsOf(file: string, name: string): Promise<string[]> {
  const text = await read(file);
  const start = text.search(new RegExp(`^export (interface|type) ${name}\\b`, "m"));
  expect(start, `${name} in ${file}`).toBeGreaterThan(-1);
  const end = text.slice(start).search(/\n(\}|.*;\n\n)/);
  const body = text.slice(start, start + end + 200).split(/\n\}|;\n\n/)[0]!;
  const own = body.replace(/readonly \{[^}]*\}/g, "");
  return [...new Set([...own.matchAll(/readonly (\w+)\??:/g)].map(([, field]) => field!))].filter((field) => field !== "kind");
}

describe("every field of every form is in the table", () => {
  test.for(FORMS)("$name", async ({ of, fields }) => {
    const paths = Object.keys(fields);
    const known = new Set<string>();
    for (const [file, name, prefix] of of) {
      for (const field of await fieldsOf(file, name)) {
        const path = `${prefix}${field}`;
        const covering = paths.filter((each) => each === path || each.startsWith(`${path}.`) || each.startsWith(`${path}[].`));
        expect(covering, `${path} of ${name}`).not.toEqual([]);
        for (const each of covering) known.add(each);
      }
    }
    const others = paths.filter((path) => !known.has(path) && !RECORDS_OF_ALL.includes(path));
    expect(others).toEqual([]);
  });
});

test("every mistake has its place in the source", async () => {
  for (const { name, file, find } of [...MUTATIONS, ...FIELD_MUTATIONS]) {
    expect((await read(file)).split(find).length - 1, `"${name}" in ${file}`).toBe(1);
  }
});
