/** What stands in `defineBroker({...})`, looked at when the Worker starts: a name that is none, or a value that is, never waits for the first client. */

import { codeProblems } from "../settings.ts";
import { consumerProblems } from "./consumer-options.ts";
import type { BrokerHooks, BrokerOptions } from "./contract.ts";

/** The names of the hooks. */
const HOOKS: { readonly [Name in keyof Required<BrokerHooks>]: true } = {
  authenticate: true,
  authorize: true,
  onConnect: true,
  onDisconnect: true,
  onSubscribe: true,
  onUnsubscribe: true,
  onPublish: true,
};

const OPTIONS: { readonly [Name in keyof Required<BrokerOptions>]: (value: unknown) => readonly string[] } = {
  settings: (value) => {
    if (typeof value === "function") return [];
    if (!isPlainObject(value)) return ["settings must be an object, or a function of env that returns one."];
    return codeProblems(value as object).map(({ sentence }) => `settings: ${sentence}`);
  },
  onMessages: consumerProblems,
  path: (value) =>
    typeof value === "string" && /^(?:\/[\w.~-]+)*$/.test(value) ? [] : ["path must be empty, or begin with a slash and not end with one."],
  ...(Object.fromEntries(Object.keys(HOOKS).map((name) => [name, (value: unknown) => hookProblems(name, value)])) as {
    readonly [Name in keyof Required<BrokerHooks>]: (value: unknown) => readonly string[];
  }),
};

/** @throws TypeError in sentences that name each option that is wrong, and what was expected */
export function checkOptions(options: unknown): void {
  if (!isPlainObject(options)) throw new TypeError("defineBroker: the options must be an object.");
  const problems = Object.entries(options).flatMap(([name, value]) => {
    if (!Object.hasOwn(OPTIONS, name)) return [`${name} is no option. Expected: ${Object.keys(OPTIONS).join(", ")}.`];
    return value === undefined ? [] : OPTIONS[name as keyof BrokerOptions](value);
  });
  if (problems.length > 0) throw new TypeError(`defineBroker: ${problems.join(" ")}`);
}

/** The hooks alone. They are called with the options as `this`, as methods of an object are. */
export function hooksOf(options: BrokerOptions): BrokerHooks {
  const given = Object.keys(HOOKS).filter((name) => options[name as keyof BrokerHooks] !== undefined);
  return Object.fromEntries(given.map((name) => [name, options[name as keyof BrokerHooks]!.bind(options)]));
}

function hookProblems(name: string, value: unknown): readonly string[] {
  return typeof value === "function" ? [] : [`${name} must be a function.`];
}

function isPlainObject(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
