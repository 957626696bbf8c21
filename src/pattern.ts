/**
 * Regular expressions that take no longer than the text and the pattern are long, whatever both are: operators write the pattern, strangers
 * the text. So there is no backtracking: all ways through the pattern are gone at once. Known are literals, `.`, classes, `\d \w \s`, groups,
 * `|`, `* + ? {n,m}`, `^` and `$`; what needs more (back-references, looking around) is no pattern here. By code points; `.` is any.
 */

/** Characters of a pattern, and steps that it may have once its repeats are written out. */
const PATTERN_CHARACTERS_MAX = 256;
const STEPS_MAX = 1000;

type Has = (point: number) => boolean;

type Node =
  | { readonly kind: "one"; readonly has: Has }
  | { readonly kind: "start" | "end" }
  | { readonly kind: "all"; readonly parts: readonly Node[] }
  | { readonly kind: "any"; readonly parts: readonly Node[] }
  | { readonly kind: "repeat"; readonly part: Node; readonly least: number; readonly most: number };

type Step =
  | { readonly kind: "one"; readonly has: Has }
  | { readonly kind: "start" | "end" | "found" }
  /** Goes on in several places at once. */
  | { readonly kind: "fork"; readonly to: number[] };

/** Whether a text has something in it that a pattern stands for. */
export type Pattern = (text: string) => boolean;

/** @returns undefined when it is no pattern */
export function parsePattern(text: string): Pattern | undefined {
  if (text.length > PATTERN_CHARACTERS_MAX) return undefined;
  const reader = new PatternReader([...text]);
  const node = reader.read();
  if (node === undefined) return undefined;
  const steps: Step[] = [];
  if (!compile(node, steps)) return undefined;
  steps.push({ kind: "found" });
  return (against) => finds(steps, against);
}

class PatternReader {
  readonly #characters: readonly string[];
  #at = 0;

  constructor(characters: readonly string[]) {
    this.#characters = characters;
  }

  read(): Node | undefined {
    const node = this.#alternatives();
    return this.#at === this.#characters.length ? node : undefined;
  }

  get #next(): string | undefined {
    return this.#characters[this.#at];
  }

  #takes(character: string): boolean {
    if (this.#next !== character) return false;
    this.#at += 1;
    return true;
  }

  #alternatives(): Node | undefined {
    const parts: Node[] = [];
    do {
      const part = this.#sequence();
      if (part === undefined) return undefined;
      parts.push(part);
    } while (this.#takes("|"));
    return parts.length === 1 ? parts[0] : { kind: "any", parts };
  }

  #sequence(): Node | undefined {
    const parts: Node[] = [];
    while (this.#next !== undefined && this.#next !== "|" && this.#next !== ")") {
      const part = this.#repeated();
      if (part === undefined) return undefined;
      parts.push(part);
    }
    return { kind: "all", parts };
  }

  #repeated(): Node | undefined {
    const part = this.#atom();
    if (part === undefined) return undefined;
    const times = this.#times();
    if (times === undefined) return part;
    // How much a repeat takes first decides nothing here.
    this.#takes("?");
    const repeatable = part.kind !== "start" && part.kind !== "end" && times.least <= times.most;
    return repeatable && this.#times() === undefined ? { kind: "repeat", part, ...times } : undefined;
  }

  #times(): { readonly least: number; readonly most: number } | undefined {
    if (this.#takes("*")) return { least: 0, most: Number.POSITIVE_INFINITY };
    if (this.#takes("+")) return { least: 1, most: Number.POSITIVE_INFINITY };
    if (this.#takes("?")) return { least: 0, most: 1 };
    const counted = /^\{(\d{1,3})(,(\d{0,3}))?\}/.exec(this.#characters.slice(this.#at, this.#at + 9).join(""));
    if (counted === null) return undefined;
    this.#at += counted[0].length;
    const least = Number(counted[1]);
    return { least, most: counted[2] === undefined ? least : counted[3] === "" ? Number.POSITIVE_INFINITY : Number(counted[3]) };
  }

  #atom(): Node | undefined {
    if (this.#takes("(")) return this.#group();
    if (this.#takes("[")) return this.#class();
    if (this.#takes("^")) return { kind: "start" };
    if (this.#takes("$")) return { kind: "end" };
    if (this.#takes(".")) return { kind: "one", has: () => true };
    const character = this.#next!;
    if ("*+?{".includes(character)) return undefined;
    this.#at += 1;
    const has = character === "\\" ? this.#escaped() : isOne(character);
    return has && { kind: "one", has };
  }

  #group(): Node | undefined {
    if (this.#takes("?") && !this.#takes(":")) return undefined;
    const node = this.#alternatives();
    return this.#takes(")") ? node : undefined;
  }

  /** What stands behind a backslash. */
  #escaped(): Has | undefined {
    const character = this.#next;
    if (character === undefined) return undefined;
    this.#at += 1;
    const known = CLASSES[character.toLowerCase()];
    if (known !== undefined) return character === character.toLowerCase() ? known : (point) => !known(point);
    return /[A-Za-z0-9]/.test(character) ? undefined : isOne(character);
  }

  #class(): Node | undefined {
    const isNegated = this.#takes("^");
    const members: Has[] = [];
    do {
      const from = this.#next;
      if (from === undefined) return undefined;
      this.#at += 1;
      const to = this.#characters[this.#at + 1];
      // [[:alpha:]] of other engines, which would mean something else here.
      if (from === "[" && this.#next === ":") return undefined;
      if (from === "\\") {
        const has = this.#escaped();
        if (has === undefined) return undefined;
        members.push(has);
      } else if (this.#next === "-" && to !== undefined && to !== "]") {
        const [low, high] = [from.codePointAt(0)!, to.codePointAt(0)!];
        if (to === "\\" || low > high) return undefined;
        this.#at += 2;
        members.push((point) => point >= low && point <= high);
      } else members.push(isOne(from));
    } while (!this.#takes("]"));
    return { kind: "one", has: (point) => members.some((has) => has(point)) !== isNegated };
  }
}

const isDigit: Has = (point) => point >= 48 && point <= 57;

const CLASSES: Readonly<Record<string, Has>> = {
  d: isDigit,
  w: (point) => isDigit(point) || point === 95 || (point >= 65 && point <= 90) || (point >= 97 && point <= 122),
  s: (point) => point === 32 || (point >= 9 && point <= 13),
};

function isOne(character: string): Has {
  const wanted = character.codePointAt(0)!;
  return (point) => point === wanted;
}

/** Appends the steps of a node. @returns false when they become too many */
function compile(node: Node, steps: Step[]): boolean {
  if (steps.length > STEPS_MAX) return false;
  if (node.kind === "all") return node.parts.every((part) => compile(part, steps));
  if (node.kind === "any") return compileAny(node, steps);
  if (node.kind === "repeat") return compileRepeat(node, steps);
  steps.push(node);
  return true;
}

function compileAny({ parts }: Node & { readonly kind: "any" }, steps: Step[]): boolean {
  const fork: number[] = [];
  steps.push({ kind: "fork", to: fork });
  const ends: number[][] = [];
  for (const part of parts) {
    fork.push(steps.length);
    if (!compile(part, steps)) return false;
    const end: number[] = [];
    ends.push(end);
    steps.push({ kind: "fork", to: end });
  }
  for (const end of ends) end.push(steps.length);
  return true;
}

function compileRepeat({ part, least, most }: Node & { readonly kind: "repeat" }, steps: Step[]): boolean {
  for (let time = 0; time < least; time += 1) {
    const before = steps.length;
    if (!compile(part, steps)) return false;
    // Nothing, however often, is nothing: counting it would take its time.
    if (steps.length === before) break;
  }
  if (most === Number.POSITIVE_INFINITY) {
    const again = steps.length;
    const fork = [again + 1];
    steps.push({ kind: "fork", to: fork });
    if (!compile(part, steps)) return false;
    steps.push({ kind: "fork", to: [again] });
    fork.push(steps.length);
    return true;
  }
  const leaving: number[][] = [];
  for (let time = least; time < most; time += 1) {
    const fork = [steps.length + 1];
    leaving.push(fork);
    steps.push({ kind: "fork", to: fork });
    if (!compile(part, steps)) return false;
  }
  for (const fork of leaving) fork.push(steps.length);
  return true;
}

function finds(steps: readonly Step[], text: string): boolean {
  const points = [...text].map((character) => character.codePointAt(0)!);
  let places = new Set<number>();
  for (let at = 0; at <= points.length; at += 1) {
    // It may begin anywhere.
    if (enter(steps, 0, places, at === 0, at === points.length)) return true;
    const next = new Set<number>();
    for (const place of places) {
      const step = steps[place]!;
      if (step.kind !== "one" || at === points.length || !step.has(points[at]!)) continue;
      if (enter(steps, place + 1, next, false, at + 1 === points.length)) return true;
    }
    places = next;
  }
  return false;
}

/** Goes on from a step without taking a character. @returns whether the end of the pattern is reached */
function enter(steps: readonly Step[], first: number, places: Set<number>, isStart: boolean, isEnd: boolean): boolean {
  const waiting = [first];
  for (let place = waiting.pop(); place !== undefined; place = waiting.pop()) {
    if (places.has(place)) continue;
    places.add(place);
    const step = steps[place]!;
    if (step.kind === "found") return true;
    if (step.kind === "fork") waiting.push(...step.to);
    else if ((step.kind === "start" && isStart) || (step.kind === "end" && isEnd)) waiting.push(place + 1);
  }
  return false;
}
