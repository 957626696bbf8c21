/** `npm run docs:settings`: writes the table of settings into docs/settings.md, between its markers. A test compares the two. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { SETTINGS } from "../../src/settings.ts";
import { ROOT } from "../build/bundle.ts";

const PAGE = join(ROOT, "docs/settings.md");
const MARKED = /(?<=<!-- settings -->\n)[\s\S]*?(?=<!-- \/settings -->)/;

/** @returns the table of all settings in Markdown, framed by blank lines */
export function settingsTable(): string {
  const cell = (text: string): string => text.replaceAll("|", "\\|");
  const rows = SETTINGS.map(
    ({ name, default: value, form, meaning }) =>
      `| \`${name}\` | ${value === "" ? "none" : `\`${value}\``} | ${cell(form)} | ${cell(meaning)} |\n`,
  );
  return `\n| Variable | Default | Values | Meaning |\n|---|---|---|---|\n${rows.join("")}\n`;
}

/** @returns what docs/settings.md has between its markers; undefined without markers */
export function tableInPage(): string | undefined {
  return MARKED.exec(readFileSync(PAGE, "utf8"))?.[0];
}

if (process.argv[1] === import.meta.filename) {
  writeFileSync(PAGE, readFileSync(PAGE, "utf8").replace(MARKED, settingsTable));
}
