/** What the overview learns each time that it looks at the broker. */

/** What an object has now, and has counted since it woke. */
export interface ObjectFigures {
  readonly node: string;
  readonly up: boolean;
  readonly [name: string]: number | string | boolean;
}

export interface Figures {
  readonly stats: readonly ObjectFigures[];
  readonly metrics: readonly ObjectFigures[];
  /** ms since the epoch. */
  readonly time: number;
}

export function sumOf(all: readonly ObjectFigures[], name: string): number {
  return all.reduce((sum, each) => sum + Number(each[name] ?? 0), 0);
}

/** @returns how many retained messages there are; undefined where not each one knows */
export function retainedOf(all: readonly ObjectFigures[]): number | undefined {
  return all.every((each) => each[RETAINED] !== undefined) ? sumOf(all, RETAINED) : undefined;
}

const RETAINED = "retained.count";
