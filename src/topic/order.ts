/**
 * The order of topics: by code point, which is the order of their UTF-8 bytes and so the order of a database's binary index. It differs
 * from the order of JavaScript's `<`, which puts characters beyond U+FFFF before U+E000.
 */

const SURROGATE_FIRST = 0xd800;
const SURROGATE_LAST = 0xdfff;

/** Compares in code point order. @returns below 0, 0 or above 0, as for `Array.prototype.sort` */
export function compareTopics(a: string, b: string): number {
  if (a === b) return 0;
  const length = Math.min(a.length, b.length);
  for (let at = 0; at < length; at++) {
    const unitA = a.charCodeAt(at);
    const unitB = b.charCodeAt(at);
    if (unitA !== unitB) return rank(unitA) - rank(unitB);
  }
  return a.length - b.length;
}

/** Surrogates stand for characters beyond all that have one unit. */
function rank(unit: number): number {
  return unit >= SURROGATE_FIRST && unit <= SURROGATE_LAST ? unit + 0x10000 : unit;
}

/** The very next name in that order: U+0001 is the lowest character that a topic can have. */
export function nextTopic(topic: string): string {
  return `${topic}\u0001`;
}
