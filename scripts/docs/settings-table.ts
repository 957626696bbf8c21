/** `npm run docs:settings`: writes the table of settings into README.md, between its markers. A test compares the two. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { SETTINGS } from "../../src/settings.ts";
import { ROOT } from "../build/bundle.ts";

const README = join(ROOT, "README.md");
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

/** @returns what README.md has between its markers; undefined without markers */
export function tableInReadme(): string | undefined {
  return MARKED.exec(readFileSync(README, "utf8"))?.[0];
}

if (process.argv[1] === import.meta.filename) {
  writeFileSync(README, readFileSync(README, "utf8").replace(MARKED, settingsTable));
}
