import { readFileSync } from "node:fs";
import { relative } from "node:path";
import { describe, expect, it } from "vitest";
import { unstable_readConfig as readConfig } from "wrangler";
import { PAGE_FOLDER, ROOT } from "../../scripts/build/bundle.ts";
import { settingsTable, tableInPage } from "../../scripts/docs/settings-table.ts";
import { COMPATIBILITY_DATE, COMPATIBILITY_FLAGS } from "../../scripts/local/local-broker.ts";
import { WORKER_FIRST_PATHS } from "../../scripts/local/worker-paths.ts";
import { SETTINGS } from "../../src/settings.ts";

const config = readConfig({ config: `${ROOT}/wrangler.toml` });

describe("wrangler.toml", () => {
  it("names every setting with its default, and no secret", () => {
    const variables = SETTINGS.filter((setting) => !setting.secret).map((setting) => [setting.name, setting.default]);
    const named = [...readFileSync(`${ROOT}/wrangler.toml`, "utf8").matchAll(/^#?([A-Z0-9_]+) = "(.*)"$/gm)].map(([, name, value]) => [
      name,
      value,
    ]);
    expect(Object.fromEntries(named)).toEqual(Object.fromEntries(variables));
    expect(named.length).toBe(variables.length);
  });

  it("sets few of them: the free plan allows 64 variables and secrets together", () => {
    const named = SETTINGS.map(({ name, default: value }) => [name, value] as const);
    expect(named).toEqual(expect.arrayContaining(Object.entries(config.vars)));
    expect(Object.keys(config.vars).length).toBeLessThan(16);
  });

  it("describes the same Worker as npm start runs", () => {
    expect(config.compatibility_date).toBe(COMPATIBILITY_DATE);
    expect(config.compatibility_flags).toEqual(COMPATIBILITY_FLAGS);
    expect(config.assets).toMatchObject({
      directory: relative(ROOT, PAGE_FOLDER),
      binding: "ASSETS",
      run_worker_first: WORKER_FIRST_PATHS,
    });
    expect(config.durable_objects.bindings).toEqual([
      { name: "SESSIONS", class_name: "SessionObject" },
      { name: "TOPICS", class_name: "TopicObject" },
      { name: "DIRECTORY", class_name: "DirectoryObject" },
    ]);
    expect(config.migrations).toEqual([
      { tag: "v1", new_sqlite_classes: ["SessionObject", "TopicObject"] },
      { tag: "v2", new_sqlite_classes: ["DirectoryObject"] },
    ]);
  });
});

describe("docs/settings.md", () => {
  it("has the table of settings as `npm run docs:settings` writes it", () => {
    expect(tableInPage()).toBe(settingsTable());
  });
});
