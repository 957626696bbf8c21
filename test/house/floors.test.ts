/** The house stays tidy: floors import only downwards, the lower two are pure, files are small and say what they are. */

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize, relative } from "node:path";
import { describe, expect, test } from "vitest";
import { FILES_OF_PAGE, ROOT, SOURCES_OF_PAGE } from "../../scripts/build/bundle.ts";
import { CLIENTS, FLOORS, floorOf, foldersOfSrc, importsOf, importsOfFolders, isIn } from "../../scripts/docs/house.ts";

interface Source {
  /** From the root, with slashes. */
  readonly path: string;
  readonly text: string;
  /** Without comments and strings: what runs. */
  readonly code: string;
  readonly imports: readonly string[];
}

/** A class that is a Durable Object, or what one is made of. */
const OBJECT_CLASS = /\bextends\s+(?:DurableObject|ServedObject)\b/;

function sources(folder: string, extensions: readonly string[]): Source[] {
  return readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && extensions.some((extension) => entry.name.endsWith(extension)))
    .map((entry) => {
      const file = join(entry.parentPath, entry.name);
      const text = readFileSync(file, "utf8");
      return { path: relative(ROOT, file).replaceAll("\\", "/"), text, code: codeOf(text), imports: importsOf(text) };
    });
}

/** Blanks comments and strings; the expressions of templates stay. */
function codeOf(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\/|\/\/[^\n]*|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'/g, (match) => match.replace(/[^\n]/g, " "));
}

const SRC = sources("src", [".ts", ".tsx"]);
const TESTS = sources("test", [".ts"]);

const BROKER = SRC.filter(({ path }) => !CLIENTS.some((client) => isIn(path, client.path)));
const PURE = BROKER.filter(({ path }) => floorOf(path) <= 2);

function target({ path }: Source, name: string): string {
  return normalize(join(dirname(path), name)).replaceAll("\\", "/");
}

/** The circles of imports that are met first, each as the way round it. */
function circles(imports: ReadonlyMap<string, readonly string[]>): string[] {
  const found: string[] = [];
  const done = new Set<string>();
  const visit = (path: string, way: readonly string[]): void => {
    if (way.includes(path)) found.push([...way.slice(way.indexOf(path)), path].join(" -> "));
    if (way.includes(path) || done.has(path)) return;
    for (const next of imports.get(path) ?? []) visit(next, [...way, path]);
    done.add(path);
  };
  for (const path of imports.keys()) visit(path, []);
  return found;
}

describe("floors", () => {
  test("every file of the broker stands on one", () => {
    expect(BROKER.filter(({ path }) => floorOf(path) < 0).map(({ path }) => path)).toEqual([]);
    for (let floor = 0; floor < FLOORS.length; floor += 1) expect(BROKER.some(({ path }) => floorOf(path) === floor)).toBe(true);
  });

  test("imports go downwards or stay on their floor", () => {
    const upward = BROKER.flatMap((source) =>
      source.imports
        .filter((name) => name.startsWith(".") && floorOf(target(source, name)) > floorOf(source.path))
        .map((name) => `${source.path} imports ${target(source, name)}`),
    );
    expect(upward).toEqual([]);
  });

  test("on its own floor a folder imports only from those that its place in the plan names", () => {
    const floors = [...FLOORS.map(({ places }) => places), CLIENTS];
    const places = new Map(floors.flatMap((onIt, floor) => onIt.map((place) => [place.path, { ...place, floor }])));
    const crossing = [...importsOfFolders()].flatMap(([folder, others]) =>
      [...others]
        .filter((other) => places.get(other)?.floor === places.get(folder)?.floor && !places.get(folder)?.beside?.includes(other))
        .map((other) => `${folder} imports ${other}`),
    );
    expect(crossing).toEqual([]);
  });

  test("every folder of src has its place, and every place is there", () => {
    const places = [...FLOORS.flatMap(({ places }) => places), ...CLIENTS];
    expect(foldersOfSrc().filter((folder) => !places.some(({ path }) => path === folder))).toEqual([]);
    expect(places.filter(({ path, start = "" }) => !existsSync(join(ROOT, path, start)))).toEqual([]);
    expect(places.filter(({ path, start }) => path.endsWith("/") !== (start !== undefined))).toEqual([]);
  });

  test("no file imports itself on any way, types included", () => {
    expect(circles(new Map(SRC.map((source) => [source.path, source.imports.map((name) => target(source, name))])))).toEqual([]);
  });

  test("and a circle would be found", () => {
    const imports = [
      ["a", ["b"]],
      ["b", ["c"]],
      ["c", ["b", "d"]],
      ["d", []],
    ] satisfies [string, string[]][];
    expect(circles(new Map<string, string[]>(imports))).toEqual(["b -> c -> b"]);
  });

  test("every relative import names a file of src", () => {
    const known = new Set(SRC.map(({ path }) => path));
    const lost = SRC.flatMap((source) => source.imports.filter((name) => name.startsWith(".") && !known.has(target(source, name))));
    expect(lost.filter((name) => /\.tsx?$/.test(name))).toEqual([]);
  });

  test("clients import nothing but what their places name, and the broker nothing of them but where a place says so", () => {
    const outside = CLIENTS.flatMap(({ path, beside = [], packages = [] }) =>
      SRC.filter((source) => isIn(source.path, path)).flatMap((source) =>
        source.imports
          .filter((name) =>
            name.startsWith(".")
              ? ![path, ...beside].some((home) => isIn(target(source, name), home))
              : !packages.some((each) => name === each || name.startsWith(each.endsWith(":") ? each : `${each}/`)),
          )
          .map((name) => `${source.path} imports ${name}`),
      ),
    );
    const users = FLOORS.flatMap(({ places }) => places).filter(({ uses = [] }) => uses.length > 0);
    const toClients = BROKER.filter(({ path }) => !users.some((user) => isIn(path, user.path))).flatMap((source) =>
      source.imports.filter((name) => CLIENTS.some(({ path }) => name.startsWith(".") && isIn(target(source, name), path))),
    );
    expect(users.map(({ path, uses }) => [path, uses])).toEqual([["src/service/", ["src/client/"]]]);
    expect([outside, toClients]).toEqual([[], []]);
  });
});

test("the page is built anew when anything changes that it is made of", () => {
  const { path, beside = [] } = CLIENTS.find((place) => place.path === "src/console/")!;
  const known = [...SOURCES_OF_PAGE.map((folder) => `${folder}/`), ...FILES_OF_PAGE];
  expect([path, ...beside].filter((place) => !known.includes(place))).toEqual([]);
});

describe("the lower two floors are pure", () => {
  test("they import nothing but files of the project", () => {
    expect(PURE.flatMap(({ path, imports }) => imports.filter((name) => !name.startsWith(".")).map((name) => `${path}: ${name}`))).toEqual(
      [],
    );
  });

  const impure: [string, RegExp][] = [
    ["no clock", /\bDate\b|\bperformance\b/],
    ["no chance", /\bMath\.random\b|\bcrypto\b/],
    ["no timers", /\bset(?:Timeout|Interval|Immediate)\b|\bqueueMicrotask\b/],
    ["no waiting", /\basync\s|\bawait\s|\bnew Promise\b|\.then\(/],
    ["no network and no globals of the platform", /\bfetch\b|\bWebSocket\b|\bDurableObject\w*\b|\bprocess\b|\bglobalThis\b/],
    ["nothing is logged", /\bconsole\b/],
  ];
  test.each(impure)("%s", (_name, pattern) => {
    const found = PURE.flatMap(({ path, code }) =>
      code.split("\n").flatMap((line, index) => (pattern.test(line) ? [`${path}:${index + 1} ${line.trim()}`] : [])),
    );
    expect(found).toEqual([]);
  });

  test("and what is looked for would be found", () => {
    const samples = ["const now = Date.now();", "Math.random()", "setTimeout(() => {}, 1)", "await done;", "fetch(url)", "console.log(1)"];
    expect(impure.map(([, pattern], index) => pattern.test(samples[index]!))).toEqual(samples.map(() => true));
    expect(codeOf('a = "Date"; // Date\n/* await */ b')).not.toMatch(/Date|await/);
  });
});

test("who keeps time does so by the runtime of its host, which a simulation can replace; but for the console, which is seen in a browser", () => {
  const kept = SRC.filter(({ path }) => !path.startsWith("src/console/"));
  const found = kept.filter(({ code }) => /\bDate\.now\b|\bperformance\b|\bset(?:Timeout|Interval|Immediate)\b/.test(code));
  expect(found.map(({ path }) => path).sort()).toEqual(["src/client/platform.ts", "src/runtime.ts"]);
});

describe("files", () => {
  test("each begins with a header that says what it is", () => {
    const silent = SRC.filter(({ text }) => !/^(?:#![^\n]*\n)?\/\*\*[\s\S]*?\*\//.test(text));
    expect(silent.map(({ path }) => path)).toEqual([]);
  });

  test("past 500 lines there is none in src, and no Durable Object class is longer than 250", () => {
    const lines = (text: string): number => text.split("\n").length - 1;
    expect(SRC.filter(({ text }) => lines(text) > 500).map(({ path, text }) => `${path}: ${lines(text)}`)).toEqual([]);
    const objects = SRC.filter(({ code }) => OBJECT_CLASS.test(code));
    expect(objects.length).toBeGreaterThan(0);
    expect(objects.filter(({ text }) => lines(text) > 250).map(({ path }) => path)).toEqual([]);
  });

  test("what is public on a Durable Object class is meant to be called: everything else is #private, or a field, which no call reaches", () => {
    const exposed = SRC.filter(({ code }) => OBJECT_CLASS.test(code)).flatMap(({ path, code }) =>
      [...code.matchAll(/^ {2}(?:private|protected)\b(?! (?:abstract|override) readonly \w+[:; ]).*$/gm)].map(
        ([line]) => `${path}: ${line.trim()}`,
      ),
    );
    expect(exposed).toEqual([]);
  });

  test("names are in kebab-case", () => {
    const odd = [...SRC, ...TESTS].filter(({ path }) => !/^[a-z0-9-]+(?:\.[a-z0-9-]+)*\.tsx?$/.test(path.split("/").at(-1)!));
    expect(odd.map(({ path }) => path)).toEqual([]);
  });

  test("nothing is left for later", () => {
    const marks = ["TO", "FIX", "XX"].map((word, index) => word + ["DO", "ME", "X"][index]);
    const pattern = new RegExp(`\\b(?:${marks.join("|")})\\b`);
    const documents = ["docs", "scripts", "bench"].flatMap((folder) => existing(folder, [".ts", ".mjs", ".md"]));
    const left = [...SRC, ...TESTS, ...sources("src", [".md", ".html", ".css"]), ...documents].filter(({ text }) => pattern.test(text));
    expect(left.map(({ path }) => path)).toEqual([]);
  });

  test("no test is skipped, repeated until it passes, or run alone", () => {
    const pattern = /\b(?:test|it|describe)\.(?:skip|only|todo|fails)\b|\bretry:\s*[1-9]/;
    expect(TESTS.filter(({ code }) => pattern.test(code)).map(({ path }) => path)).toEqual([]);
  });

  test("no object is compared with a bare pattern: that fits anything, where expect.stringMatching was meant", () => {
    const pattern = /to(?:MatchObject|Equal|StrictEqual)\((?:[^()]|\([^()]*\))*?[{,]\s*\w+: \/(?![/*\s])/;
    expect("toMatchObject({ a: 1, b: /x/ })").toMatch(pattern);
    expect("toMatchObject({ a: expect.stringMatching(/x/) })").not.toMatch(pattern);
    expect(TESTS.filter(({ code }) => pattern.test(code)).map(({ path }) => path)).toEqual([]);
  });

  test("code that the linter was told to overlook says why", () => {
    const mute = [...SRC, ...TESTS].flatMap(({ path, text }) =>
      [...text.matchAll(/biome-ignore [\w/]+:?\s*(.*)/g)].filter(([, reason]) => reason!.length < 10).map(() => path),
    );
    expect(mute).toEqual([]);
  });
});

describe("scripts/local, which is to be shipped", () => {
  test("imports from src, from the build and from itself only", () => {
    const homes = ["src/", "scripts/build/", "scripts/local/"];
    const outside = sources("scripts/local", [".ts"]).flatMap((source) =>
      source.imports
        .filter((name) => name.startsWith(".") && !homes.some((home) => target(source, name).startsWith(home)))
        .map((name) => `${source.path}: ${name}`),
    );
    expect(outside).toEqual([]);
  });
});

function existing(folder: string, extensions: readonly string[]): Source[] {
  try {
    return sources(folder, extensions);
  } catch {
    return [];
  }
}

test("no text that is put in by replace comes from elsewhere: `$&` in what a client sent would mean something", () => {
  const call = /\.replace(?:All)?\((?:"(?:[^"\\]|\\.)*"|\/(?:[^/\\]|\\.)+\/\w*|[\w.]+),(?! *(?:["'(]|\w+ =>))[^)]*\)/g;
  expect('a.replaceAll("x", y) a.replace(/x/g, y.z) a.replace(X, `y`)'.match(call)).toHaveLength(3);
  expect('a.replaceAll("x", "y") a.replace(/x/g, (x) => y) a.replace(X, x => y)'.match(call)).toBeNull();
  expect(SRC.flatMap(({ path, text }) => (text.match(call) ?? []).map((found) => `${path}: ${found}`))).toEqual([]);
});
