/** The documents against the code: what they link to exists, and what they quote is so. The settings table is in test/settings. */

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { ROOT } from "../../scripts/build/bundle.ts";
import { partsOfPage } from "../../scripts/docs/floors.ts";
import { METRICS } from "../../src/api/metrics.ts";
import { STATUS } from "../../src/api/problem.ts";
import * as codeLimits from "../../src/code-limits.ts";
import * as limits from "../../src/limits.ts";
import * as loginLimits from "../../src/login-limits.ts";
import * as memoryLimits from "../../src/memory-limits.ts";
import { SETTINGS } from "../../src/settings.ts";
import * as shareLimits from "../../src/share-limits.ts";
import * as storageLimits from "../../src/storage-limits.ts";
import { VERSION } from "../../src/version.ts";
import * as workLimits from "../../src/work-limits.ts";

const DOCUMENTS = [
  "README.md",
  "CONTRIBUTING.md",
  "src/storage/SCHEMA.md",
  ...readdirSync(join(ROOT, "docs"))
    .filter((name) => name.endsWith(".md"))
    .map((name) => `docs/${name}`),
];

const { scripts } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { scripts: Record<string, string> };
const constants = new Map(
  Object.entries({ ...limits, ...memoryLimits, ...storageLimits, ...loginLimits, ...shareLimits, ...workLimits, ...codeLimits }).filter(
    ([, value]) => typeof value === "number",
  ),
) as Map<string, number>;
const defaults = new Map<string, string>(SETTINGS.map((setting) => [setting.name, setting.default]));

/** Milliseconds of the units in which documents quote constants. */
const UNITS: Readonly<Record<string, number>> = { s: 1000, min: 60_000 };

/** What stands in the list of what keeps an object awake, by the files that wait by a timer. */
const KEEP_AWAKE: Readonly<Record<string, readonly string[]>> = {
  acknowledgements: ["`ACKNOWLEDGED_MS_MAX`"],
  "alarm-clock": ["`ALARM_RETRY_MS`"],
  brake: ["`PACE_MS_MAX`"],
  "call-queue": ["`CALL_GATHER_MS`", "`RETRY_MS_TOTAL`"],
  caller: ["held target"],
  "client-teller": ["`HOOK_MS_MAX`"],
  consumers: ["`CONSUMER_BATCH_MS_MAX`", "`CONSUMER_MS_MAX`"],
  "directory-host": ["`DIRECTORY_CALL_MS`"],
  "directory-memory": ["`DIRECTORY_CALL_MS`"],
  "directory-watch": ["`DIRECTORY_CALL_MS`"],
  "equal-timers": ["`PACKET_SECONDS_MAX`"],
  "event-telling": ["`EVENTS_TELL_MS`"],
  exchanges: ["outcomes that somebody awaits", "`ANSWER_MS_MAX`"],
  flusher: ["tick", "`ROW_GATHER_MS`", "`ATTACHMENT_GATHER_MS`", "`AWAKE_MS_MAX`", "`SLOW_MS_MAX`", "`UNREAD_MS_MAX`"],
  "heavy-publishers": ["`ANSWER_MS_MAX`"],
  "held-deliveries": ["`SLOW_MS_MAX`"],
  "in-time": ["`HOOK_MS_MAX`", "`CONSUMER_MS_MAX`", "`DIRECTORY_CALL_MS`"],
  "let-go": ["`LET_GO_MS`"],
  "object-hooks": ["`HOOK_MS_MAX`"],
  "presence-telling": ["`PRESENCE_ASK_MS`", "`PRESENCE_STATE_MS`"],
  reauthentications: ["re-authentication"],
  recovery: ["earlier moment"],
  "retained-reader": ["retained messages"],
  "session-queues": ["tick"],
  soon: ["`MONITOR`"],
  "system-topics": ["`SYS_SECONDS`"],
  "told-again": ["`SHARE_AGAIN_MS`", "`SHARE_AGAIN_MS_MAX`"],
  "topic-queue": ["`LATER_MS`", "`AWAITED_MS`"],
  turns: ["`CROWDED_MS`"],
};

function textOf(path: string): string {
  return readFileSync(join(ROOT, path), "utf8");
}

/** The headings of a document as the anchors under which they are found. */
function anchorsOf(text: string): string[] {
  return [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
    heading!
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, "")
      .replaceAll(" ", "-"),
  );
}

/** The cells of the rows of a table between two markers, without its head. */
function rowsBetween(text: string, marker: string): string[][] {
  const [, table] = text.split(new RegExp(`<!-- /?${marker} -->`));
  return table!
    .trim()
    .split("\n")
    .slice(2)
    .map((row) =>
      row
        .slice(1, -1)
        .split("|")
        .map((cell) => cell.trim()),
    );
}

it("the version that the broker tells is that of the package", () => {
  expect(VERSION).toBe((JSON.parse(textOf("package.json")) as { version: string }).version);
});

describe.each(DOCUMENTS)("%s", (path) => {
  const text = textOf(path);

  it("links to files and headings that exist", () => {
    const links = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, link]) => link!).filter((link) => !/^https?:/.test(link));
    const broken = links.filter((link) => {
      const [file, anchor] = link.split("#");
      const target = file === "" ? join(ROOT, path) : resolve(ROOT, dirname(path), file!);
      if (relative(ROOT, target).startsWith("..") || !existsSync(target)) return true;
      return anchor !== undefined && !anchorsOf(readFileSync(target, "utf8")).includes(anchor);
    });
    expect(broken).toEqual([]);
  });

  it("names files and folders of the project that exist, also where it leaves out src", () => {
    const named = [...text.matchAll(/`((?:src|test|testing|scripts|bench|docs)\/[\w./-]+|[\w.-]+\/[\w./-]+\.ts)`/g)].map(
      ([, file]) => file!,
    );
    expect(named.filter((file) => !["", "src"].some((folder) => existsSync(join(ROOT, folder, file))))).toEqual([]);
  });

  it("names npm scripts that exist", () => {
    const named = [...text.matchAll(/\bnpm (?:run (?:--\S+ )*([a-z:-]+)|(start|test)\b)/g)].map(([, script, short]) => script ?? short!);
    expect(named.filter((name) => scripts[name] === undefined)).toEqual([]);
  });

  it("names settings, constants and codes that exist, and quotes them as they are", () => {
    const known = (name: string): boolean => defaults.has(name) || constants.has(name) || Object.hasOwn(STATUS, name);
    const names = [...text.matchAll(/`([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+|TOPOLOGY|USERS|NAMESPACES)(?:=[^`]*)?`/g)].map(([, name]) => name!);
    expect(names.filter((name) => !known(name))).toEqual([]);
    for (const [, name, value] of text.matchAll(/`([A-Z0-9_]+)` \(default `([^`]*)`\)/g))
      expect([name, value]).toEqual([name, defaults.get(name!)]);
    for (const [, name, value, unit] of text.matchAll(/`([A-Z0-9_]+)`, (\d+) (s|min)\b/g)) {
      expect([name, Number(value) * UNITS[unit!]!]).toEqual([name, constants.get(name!)]);
    }
  });
});

describe("docs/architecture.md", () => {
  it.each(Object.entries(partsOfPage()))("has the %s as `npm run docs:floors` writes them", (_name, { found, wanted }) => {
    expect(found).toBe(wanted);
  });

  it("says of every file of objects that waits by a timer what it keeps them awake for", () => {
    const files = ["objects", "routing", "session", "hooks"].flatMap((folder) =>
      readdirSync(join(ROOT, "src", folder)).map((name) => `src/${folder}/${name}`),
    );
    const waiting = files.filter((path) => /[rR]untime\.after\(|\binTime\(/.test(textOf(path)));
    expect(waiting.map((path) => path.slice(path.lastIndexOf("/") + 1, -3)).sort()).toEqual(Object.keys(KEEP_AWAKE).sort());
    const [, said] = textOf("docs/architecture.md").split(/\n- \*\*What keeps it awake\.\*\*|\n- \*\*Restarted/);
    const unsaid = Object.entries(KEEP_AWAKE).flatMap(([file, words]) =>
      words.filter((word) => !said!.includes(word)).map((word) => [file, word]),
    );
    expect(unsaid).toEqual([]);
  });
});

describe("docs/guarantees.md", () => {
  it("says in order above which share of memory which load is refused", () => {
    const shares = rowsBetween(textOf("docs/guarantees.md"), "memory").map(([above]) => Number(above!.replace(" %", "")) / 100);
    expect(shares).toEqual(Object.values(memoryLimits.REFUSED_ABOVE));
  });
});

describe("docs/settings.md", () => {
  it("has constants with their values", () => {
    const rows = rowsBetween(textOf("docs/settings.md"), "constants").map(([name, value]) => [name!.slice(1, -1), Number(value)]);
    expect(rows.length).toBeGreaterThan(0);
    expect(rows).toEqual(rows.map(([name]) => [name, constants.get(name as string)]));
  });

  it("says of every limit that may be set, but for those that only choose, what happens there", () => {
    const choosing = ["SESSION_EXPIRY_SECONDS_V3", "KEEP_ALIVE_SECONDS_MAX"];
    const table = textOf("docs/settings.md").split("\n## Limits\n")[1]!.split("<!-- constants -->")[0]!;
    const settable = SETTINGS.filter(({ name }) => /_(MAX|MAXIMUM|MAX_V31)$/.test(name) && !choosing.includes(name));
    expect(settable.map(({ name }) => name).filter((name) => !table.includes(`\`${name}\``))).toEqual([]);
  });
});

describe("docs/operations.md", () => {
  it("has every metric as the broker explains it", () => {
    const rows = rowsBetween(textOf("docs/operations.md"), "metrics");
    expect(rows).toEqual(METRICS.map(({ name, type, help }) => [`\`${name}\``, type, help]));
  });
});

describe("docs/costs.md", () => {
  it("computes prices from packets, calls and rows", () => {
    const rows = rowsBetween(textOf("docs/costs.md"), "costs");
    expect(rows.length).toBeGreaterThan(0);
    for (const [path, packets, calls, rowCount, dollars] of rows) {
      const price = (Number(packets) / 20 + Number(calls)) * 0.15 + Number(rowCount);
      expect([path, Number(dollars)]).toEqual([path, Number(price.toFixed(4))]);
    }
  });
});

describe("docs/protocol.md", () => {
  it("shows every test file of the conformance chapters", () => {
    const files = readdirSync(join(ROOT, "test/conformance"), { recursive: true }).map(String);
    const chapters = files.filter((file) => /\/chapter-[^/]+\.test\.ts$/.test(file)).map((file) => file.slice(0, -".test.ts".length));
    const page = textOf("docs/protocol.md");
    expect(chapters.filter((file) => !page.includes(`\`${file}\``))).toEqual([]);
  });
});

describe("docs/conformance.md", () => {
  const rows = textOf("docs/conformance.md")
    .split("\n")
    .filter((line) => /^\| (?:`|- \|)/.test(line))
    .map((line) => line.slice(1, -1).split("|"));

  it("leads from each choice to a test whose title begins with its clause", () => {
    expect(rows.length).toBeGreaterThan(50);
    const unproved: string[] = [];
    for (const cells of rows) {
      const tests = cells.at(-1)!;
      if (/not tested/.test(tests)) continue;
      const files = [...tests.matchAll(/\]\(\.\.\/([^)]+)\)/g)].map(([, file]) => textOf(file!));
      if (files.length === 0) unproved.push(cells[0]!);
      for (const [, clause] of cells[0]!.matchAll(/`([^`]+)`/g)) {
        if (!files.some((file) => file.includes(`[${clause}]`))) unproved.push(clause!);
      }
    }
    expect(unproved).toEqual([]);
  });

  it("names clauses that there are", () => {
    const numbered = [
      ["MQTT5-", "mqtt5.tsv"],
      ["MQTT311-", "mqtt311.tsv"],
    ] as const;
    const known = numbered.flatMap(([prefix, file]) =>
      textOf(`test/data/${file}`)
        .split("\n")
        .map((line) => line.split("\t")[0]!.replace("MQTT-", prefix)),
    );
    known.push(
      ...textOf("test/data/unnumbered.tsv")
        .split("\n")
        .map((line) => line.split("\t")[0]!),
    );
    const named = rows.flatMap(([clauses]) => [...clauses!.matchAll(/`([^`]+)`/g)].map(([, clause]) => clause!));
    expect(named.filter((clause) => !known.includes(clause))).toEqual([]);
  });
});
