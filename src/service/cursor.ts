/** Where a walk through the objects of a namespace is: the number of an object, and how far it has got in there. As a text, which who walks does not look into. */

import { ArgumentError } from "./error.ts";

export interface Position {
  readonly object: number;
  readonly from: string;
}

export function encodeCursor({ object, from }: Position): string {
  return `${object}:${from}`;
}

/**
 * @param objects how many there are
 * @throws TypeError for a text that no page had
 */
export function decodeCursor(method: string, cursor: unknown, objects: number): Position {
  if (cursor === undefined) return { object: 0, from: "" };
  const [, number, from] = /^(\d{1,6}):([\s\S]*)$/.exec(typeof cursor === "string" ? cursor : "") ?? [];
  if (number === undefined || Number(number) >= objects) throw wrongCursor(method);
  return { object: Number(number), from: from! };
}

/** Of a text that no page had. */
export function wrongCursor(method: string): ArgumentError {
  return new ArgumentError(`${method}: cursor must be that of the page before`);
}
