/** A strict reader of the Prometheus text format: what is not in order is an error, so that a scraper will not stumble either. */

export interface ReadSample {
  readonly metric: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface ReadFamily {
  readonly name: string;
  readonly type: string;
  readonly help: string;
}

export interface Exposition {
  readonly families: readonly ReadFamily[];
  readonly samples: readonly ReadSample[];
}

const LABEL = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)/;

function labelsOf(text: string): Record<string, string> {
  const labels: Record<string, string> = {};
  let rest = text;
  while (rest !== "") {
    const match = LABEL.exec(rest);
    if (match === null || match[1]! in labels) throw new Error(`labels that are none: ${text}`);
    labels[match[1]!] = match[2]!.replace(/\\(.)/g, (_, character: string) => (character === "n" ? "\n" : character));
    rest = rest.slice(match[0].length);
    if (rest === "" && match[0].endsWith(",")) throw new Error(`a comma at the end: ${text}`);
  }
  return labels;
}

/** @throws Error unless each metric has HELP, then TYPE, then its samples, once, and no sample comes twice */
export function readExposition(text: string): Exposition {
  const families: ReadFamily[] = [];
  const samples: ReadSample[] = [];
  const seen = new Set<string>();
  if (!text.endsWith("\n")) throw new Error("the last line has no end");
  const lines = text.slice(0, -1).split("\n");
  for (let index = 0; index < lines.length; index += 1) {
    const line = lines[index]!;
    const help = /^# HELP ([a-z_:][a-z0-9_:]*) ([^\\]+)$/.exec(line);
    if (help !== null) {
      const [, name] = help;
      const type = /^# TYPE (\S+) (counter|gauge)$/.exec(lines[index + 1] ?? "");
      if (type?.[1] !== name) throw new Error(`no TYPE after HELP of ${name}`);
      if (families.some((family) => family.name === name)) throw new Error(`${name} comes twice`);
      if ((type[2] === "counter") !== name!.endsWith("_total")) throw new Error(`${name} is a ${type[2]}`);
      families.push({ name: name!, help: help[2]!, type: type[2]! });
      index += 1;
      continue;
    }
    const sample = /^([a-z_:][a-z0-9_:]*)(?:\{(.*)\})? (\d+(?:\.\d+)?)$/.exec(line);
    if (sample === null || sample[1] !== families.at(-1)?.name) throw new Error(`a line that is none: ${line}`);
    const labels = labelsOf(sample[2] ?? "");
    const key = `${sample[1]} ${JSON.stringify(Object.entries(labels).sort())}`;
    if (seen.has(key)) throw new Error(`a sample comes twice: ${line}`);
    seen.add(key);
    samples.push({ metric: sample[1]!, labels, value: Number(sample[3]) });
  }
  return { families, samples };
}
