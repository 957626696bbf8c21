/** What is written behind options, and what was expected where it is something else. */

import { InvalidArgumentError, Option } from "commander";

/** Milliseconds of the units of time. */
const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

export function portOf(text: string): number {
  return wholeNumber(0, 65_535, "a port from 0 to 65535 (0 = any free one)")(text);
}

/** @param expected what it is, to complete "Expected ..." */
export function wholeNumber(min: number, max: number, expected = `a whole number from ${min} to ${max}`): (text: string) => number {
  return (text) => {
    const number = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
    if (number >= min && number <= max) return number;
    throw new InvalidArgumentError(`Expected ${expected}.`);
  };
}

/** @returns milliseconds */
export function durationOf(text: string): number {
  const [, number, unit = "s"] = /^(\d{1,9}(?:\.\d{1,3})?)(ms|s|m|h|d)?$/.exec(text) ?? [];
  if (number === undefined) throw new InvalidArgumentError("Expected a time such as 500ms, 30s, 5m, 1h or 7d.");
  return Number(number) * UNITS[unit]!;
}

/** An option whose value is a time. @param byDefault such as `10s` */
export function durationOption(flags: string, description: string, byDefault: string): Option {
  return new Option(flags, description).argParser(durationOf).default(durationOf(byDefault), byDefault);
}

/** For an option that may be given several times. */
export function several(text: string, former: readonly string[] = []): string[] {
  return [...former, text];
}
