/**
 * What an operator may set: the one list of variables with default, form and meaning, and its parser. The Worker, `npm start`,
 * wrangler.toml and the table of docs/settings.md all follow this list; tests compare them.
 *
 * A wrong value is never replaced by a default: it is reported in a sentence that names the variable and the expected form, and the
 * broker refuses to serve. What a secret contains is never repeated in a sentence.
 */

import { ACL_SETTINGS, type AclSettings, aclProblems } from "./auth/acl-settings.ts";
import { API_SETTINGS, type ApiSettings, apiProblems } from "./auth/api-settings.ts";
import { CHAIN_SETTING, type ChainLink } from "./auth/chain-settings.ts";
import { DIRECTORY_SETTINGS, type DirectorySettings, directoryProblems } from "./auth/directory-settings.ts";
import { GATEWAY_SECRET } from "./auth/gateway-settings.ts";
import { HTTP_SETTINGS, type HttpSettings, httpProblems } from "./auth/http-settings.ts";
import { JWT_SETTINGS, type JwtSettings, jwtProblems, takesTokens } from "./auth/jwt-settings.ts";
import { CHOICE_SETTINGS } from "./choice-settings.ts";
import type { Choices } from "./choices.ts";
import { LIMIT_SETTINGS, RATE_SETTINGS, USER_SHARE } from "./limit-settings.ts";
import { type Limits, limitProblems } from "./limits.ts";
import type { Rates } from "./rate.ts";
import { flag, integer, type Setting, secret, setting } from "./setting.ts";
import { type PreviousShape, SHAPE_SETTINGS, type TopicShape } from "./shape-settings.ts";

/** Settings as the broker uses them: parsed, whole and consistent. */
export interface Settings extends TopicShape {
  readonly topology: "sharded" | "compact";
  /** Session objects of a namespace in the sharded topology; 0 = every client ID has an object of its own. */
  readonly sessionShards: number;
  /** The shapes that the broker had before and whose data may not have moved yet, the latest first. */
  readonly previousShapes: readonly PreviousShape[];
  /** The namespaces that exist; `*` = every one that a client names. */
  readonly namespaces: readonly string[] | "*";
  readonly allowAnonymous: boolean;
  /** The secret USERS as given (JSON, may be empty); the authenticator validates it. */
  readonly users: string;
  readonly jwt: JwtSettings;
  readonly directory: DirectorySettings;
  readonly api: ApiSettings;
  readonly acl: AclSettings;
  readonly http: HttpSettings;
  /** Who is asked, in this order; empty = all that is configured. */
  readonly authChain: readonly ChainLink[];
  /** The secret GATEWAY_SECRET; empty = no gateway is believed. */
  readonly gatewaySecret: Uint8Array;
  /** The secret METRICS_TOKEN: who shows it may read `/metrics`; empty = nobody. */
  readonly metricsToken: string;
  /** Session objects keep what they count in each minute. */
  readonly monitor: boolean;
  /** Names, without port, by which the broker may be asked for, `loopback` for all of this machine; none = any. */
  readonly allowedHosts: readonly string[];
  /** Origins of pages that may connect beside the broker's own; undefined = what ALLOW_ANONYMOUS makes safe. */
  readonly allowedOrigins: readonly string[] | "*" | undefined;
  readonly choices: Choices;
  readonly system: SystemSettings;
  readonly rates: Rates;
  /** The part of an object that one user may take, above 0; 1 = all. */
  readonly userShare: number;
  readonly limits: Limits;
}

/** Figures of the broker below `$SYS`. */
export interface SystemSettings {
  /** How often they are published, at most; 0 = not at all. */
  readonly seconds: number;
  /** Anonymous clients may listen to them. */
  readonly anonymous: boolean;
}

/** One thing wrong with the settings. */
export interface SettingsProblem {
  /** The variable's name. */
  readonly variable: string;
  /** What is wrong and what was expected, as a whole sentence without a secret's content. */
  readonly sentence: string;
}

/** What a namespace may be called: it is a part of the URL's path and of the objects' names. */
export const NAMESPACE_PATTERN = /^[a-zA-Z0-9_-]{1,64}$/;

function parseNamespaces(text: string): readonly string[] | "*" | undefined {
  if (text === "*") return "*";
  const names = [...new Set(text.split(",").map((name) => name.trim()))];
  return names.every((name) => NAMESPACE_PATTERN.test(name)) ? names : undefined;
}

function parseOrigins(text: string): { readonly origins: readonly string[] | "*" | undefined } | undefined {
  if (text === "" || text === "*") return { origins: text === "*" ? "*" : undefined };
  const origins = text.split(",").map((each) => each.trim().toLowerCase());
  return origins.every((each) => !each.includes("*") && URL.canParse(each) && new URL(each).origin === each) ? { origins } : undefined;
}

function parseHosts(text: string): readonly string[] | undefined {
  const hosts = text === "" ? [] : text.split(",").map((each) => each.trim().toLowerCase());
  return hosts.every((host) => URL.canParse(`http://${host}`) && new URL(`http://${host}`).host === host && !/:\d+$/.test(host))
    ? hosts
    : undefined;
}

const TOPOLOGY = setting(
  "TOPOLOGY",
  "sharded",
  "sharded or compact",
  "`sharded` spreads a namespace over Session and Topic objects; `compact` keeps it in one object: cheapest and fastest up to some thousand connections",
  (text) => (text === "sharded" || text === "compact" ? text : undefined),
);
const NAMESPACES = setting(
  "NAMESPACES",
  "default",
  "* or names of 1 to 64 letters, digits, _ and -, separated by commas",
  "the namespaces (tenants) that exist: `default` is served at `/mqtt`, any other at `/{namespace}/mqtt`; `*` = every one that a client names",
  parseNamespaces,
);
const ALLOW_ANONYMOUS = flag(
  "ALLOW_ANONYMOUS",
  false,
  "`true` lets clients in without user name and password, with every right but on `$` topics; with `ACL` what that gives. Without it, `USERS` and keys for tokens (`JWT_...`) everybody is refused",
);
const USERS = secret(
  "USERS",
  "a JSON array of users",
  'who may connect, a JSON array of `{"user", "password", "publish": [filters], "subscribe": [filters], "acl": [rules]}`; `password` is a hash `pbkdf2-sha256$iterations$salt$hash` (salt and hash in Base64)',
  (text) => text,
);
const METRICS_TOKEN = secret(
  "METRICS_TOKEN",
  "16 or more letters, digits and - . _ ~ + /, or nothing",
  "the bearer token with which `/metrics` is read; without it `/metrics` is closed",
  (text) => (text === "" || /^[A-Za-z0-9._~+/-]{16,}=*$/.test(text) ? text : undefined),
);
const MONITOR = flag(
  "MONITOR",
  false,
  "`true` lets objects keep what they have counted, for `/api/v5/monitor`, `/usage` and the console: a Session object that of each minute of the last day, both kinds what is billed in each month, at a row for each in a minute while there is something to do; `npm start` sets it. Not of clients that have an object of their own",
);

const ALLOWED_ORIGINS = setting(
  "ALLOWED_ORIGINS",
  "",
  "* or origins such as https://app.example separated by commas, or nothing",
  "pages that may connect from a browser, beside the broker's own, and use [the HTTP API](api.md#from-a-browser) with a token; `*` = all. Nothing: for connections all, but with `ALLOW_ANONYMOUS` the broker's own only, and on a loopback address those of this machine; for the API the broker's own",
  parseOrigins,
);
const ALLOWED_HOSTS = setting(
  "ALLOWED_HOSTS",
  "",
  "host names without port separated by commas, among them loopback for all names of this machine, or nothing",
  "names by which the broker may be asked for (HTTP `Host`); nothing = any. `npm start` on a loopback address sets `loopback`",
  parseHosts,
);

const SYS_SECONDS = integer(
  "SYS_SECONDS",
  0,
  0,
  86_400,
  "how often figures of the broker are published as retained messages below `$SYS/broker/`, at most, seconds; `0` = not at all. `npm start`: `10`",
);
const SYS_ANONYMOUS = flag(
  "SYS_ANONYMOUS",
  false,
  "`true` lets anonymous clients of a broker without `ACL` listen to those. `npm start` on a loopback address: `true`",
);

const { denyAction: ACL_DENY_ACTION, ...OTHER_CHOICES } = CHOICE_SETTINGS;

const ALL = [
  TOPOLOGY,
  ...Object.values(SHAPE_SETTINGS),
  NAMESPACES,
  ALLOW_ANONYMOUS,
  USERS,
  ...Object.values(JWT_SETTINGS),
  ...Object.values(DIRECTORY_SETTINGS),
  ...Object.values(API_SETTINGS),
  ...Object.values(ACL_SETTINGS),
  ACL_DENY_ACTION,
  ...Object.values(HTTP_SETTINGS),
  CHAIN_SETTING,
  GATEWAY_SECRET,
  METRICS_TOKEN,
  MONITOR,
  ALLOWED_ORIGINS,
  ALLOWED_HOSTS,
  ...Object.values(OTHER_CHOICES),
  SYS_SECONDS,
  SYS_ANONYMOUS,
  ...Object.values(LIMIT_SETTINGS),
  ...Object.values(RATE_SETTINGS),
  USER_SHARE,
];

/** The name of a variable. */
export type SettingName = (typeof ALL)[number]["name"];

/** Every setting, in the order of the documentation. */
export const SETTINGS: readonly Setting<unknown, SettingName>[] = ALL;

/** What a Worker sets in its code, by the names of the variables. */
export type CodeSettings = { readonly [Name in SettingName]?: string | number | boolean | undefined };

/** Those that say who may connect: without any of them nobody may. */
export const ACCESS_SETTINGS: readonly string[] = [
  USERS,
  JWT_SETTINGS.secret,
  JWT_SETTINGS.publicKeys,
  JWT_SETTINGS.jwksUrls,
  HTTP_SETTINGS.url,
  GATEWAY_SECRET,
  ALLOW_ANONYMOUS,
].map(({ name }) => name);

/**
 * Reads all settings out of the Worker's or the process's environment; other entries of it (bindings) are left alone.
 * @param env variables by name; a missing, null or blank one means the default; numbers and booleans (from TOML or JSON) count as their text
 * @param code what the Worker's code sets: it wins over what `env` says of the same
 * @returns the settings, or at least one problem: check with `Array.isArray`
 */
export function parseSettings(env: Readonly<Record<string, unknown>>, code: CodeSettings = {}): Settings | SettingsProblem[] {
  const problems = unknownSettings(code);
  const read = <T>(spec: Setting<T>): T => {
    const text = textOf((Object.hasOwn(code, spec.name) ? code[spec.name as SettingName] : undefined) ?? env[spec.name]);
    const value = text === undefined ? undefined : spec.parse(text === "" ? spec.default : text);
    if (value === undefined) problems.push({ variable: spec.name, sentence: wrongValue(spec, text) });
    return value as T;
  };
  const readAll = <T>(specs: { readonly [Field in keyof T]: Setting<T[Field]> }): T =>
    Object.fromEntries(Object.entries<Setting>(specs).map(([field, spec]) => [field, read(spec)])) as T;
  const settings: Settings = {
    topology: read(TOPOLOGY),
    ...readAll(SHAPE_SETTINGS),
    namespaces: read(NAMESPACES),
    allowAnonymous: read(ALLOW_ANONYMOUS),
    users: read(USERS),
    jwt: readAll(JWT_SETTINGS),
    directory: readAll(DIRECTORY_SETTINGS),
    api: readAll(API_SETTINGS),
    acl: readAll(ACL_SETTINGS),
    http: readAll(HTTP_SETTINGS),
    authChain: read(CHAIN_SETTING),
    gatewaySecret: read(GATEWAY_SECRET),
    metricsToken: read(METRICS_TOKEN),
    monitor: read(MONITOR),
    allowedHosts: read(ALLOWED_HOSTS),
    allowedOrigins: read(ALLOWED_ORIGINS)?.origins,
    choices: readAll(CHOICE_SETTINGS),
    system: { seconds: read(SYS_SECONDS), anonymous: read(SYS_ANONYMOUS) },
    rates: readAll(RATE_SETTINGS),
    userShare: read(USER_SHARE),
    limits: readAll(LIMIT_SETTINGS),
  };
  if (problems.length > 0) return problems;
  const unfit = [
    ...jwtProblems(settings.jwt),
    ...directoryProblems(settings.directory),
    ...apiProblems(settings.api, takesTokens(settings.jwt)),
    ...aclProblems(settings.acl),
    ...httpProblems(settings.http),
  ];
  if (unfit.length > 0) return unfit;
  const broken = limitProblems(settings.limits);
  return broken.length > 0 ? broken.map((sentence) => ({ variable: sentence.split(" ")[0]!, sentence: `${sentence}.` })) : settings;
}

/** What is wrong with settings in code by itself, whatever the environment says: names that are none, values without the form. */
export function codeProblems(code: CodeSettings): SettingsProblem[] {
  const problems = unknownSettings(code);
  for (const spec of ALL as readonly Setting[]) {
    const value = Object.hasOwn(code, spec.name) ? code[spec.name as SettingName] : undefined;
    const text = textOf(value);
    if (text === undefined || (text !== "" && spec.parse(text) === undefined))
      problems.push({ variable: spec.name, sentence: wrongValue(spec, text) });
  }
  return problems;
}

/** The environment may have other entries; what code sets is meant for the broker. */
function unknownSettings(code: CodeSettings): SettingsProblem[] {
  const names = Object.keys(code).filter((name) => !ALL.some((spec) => spec.name === name));
  return names.map((variable) => ({
    variable,
    sentence: `${variable} is no setting. Expected: ${ALL.map(({ name }) => name).join(", ")}.`,
  }));
}

/** The text of an environment entry; undefined for what cannot be one (a list, a binding). */
function textOf(value: unknown): string | undefined {
  if (value === undefined || value === null) return "";
  if (typeof value === "string") return value.trim();
  return typeof value === "number" || typeof value === "boolean" ? String(value) : undefined;
}

/** A value that is no secret is quoted, but for what stands before the `@` of a URL. */
function wrongValue(spec: Setting, text: string | undefined): string {
  const found = spec.secret
    ? ""
    : text === undefined
      ? " (found: something that is not text)"
      : ` (found: ${JSON.stringify(text.replace(/\/\/[^/]*@/, "//...@").slice(0, 80))})`;
  return `${spec.name} must be ${spec.form}${found}.`;
}
