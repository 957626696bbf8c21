/**
 * Requests to an HTTP service as an operator writes them: URL, headers and body with placeholders for what a client says. **A value never
 * breaks out of its place**: in JSON and in a query it is escaped; where there is nothing to escape with (in a path a value that would be
 * another path, in a header anything that could end or divide it) there is no request, and that client is refused.
 */

import { isSafeWay } from "./outside.ts";

/** What is known of a client when it wants in. */
export const LOGIN_PLACEHOLDERS: readonly string[] = [
  "clientid",
  "username",
  "password",
  "peerhost",
  "proto_name",
  "proto_ver",
  "namespace",
];

/** The same where a client that is in wants to subscribe; what only a login has is empty then. */
export const SUBSCRIBE_PLACEHOLDERS: readonly string[] = [...LOGIN_PLACEHOLDERS, "action", "topic", "qos", "retain"];

/** Attributes of the login; empty before there is one. */
const ATTRIBUTE = /^client_attrs\.[\w.-]+$/;

/** Literal text and the names of placeholders, by turns; the first is text. */
type Template = readonly string[];

/** What a placeholder stands for; undefined when that is no text. Unknown ones stand for nothing. */
export type ValueOf = (placeholder: string) => string | undefined;

type Json = string | number | boolean | null | readonly Json[] | { readonly [name: string]: Json };

/** A request as it is written. */
export interface RequestShape {
  readonly method: "POST" | "GET";
  readonly url: string;
  /** Names in small letters. */
  readonly headers: Readonly<Record<string, string>>;
  /** Fields of the body, or with GET of the query. */
  readonly body: { readonly [name: string]: Json };
}

export interface HttpRequest {
  readonly method: "POST" | "GET";
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
}

export const FORM = "application/x-www-form-urlencoded";
const JSON_TYPE = "application/json";

const NAME = /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/;
/** The platform's own, or about the connection and not the request. */
const RESERVED = /^(?:host|content-length|transfer-encoding|connection|upgrade|te|trailer|keep-alive|expect|proxy-.*)$/;
const HEADER_TEXT = /^[\x20-\x7e]*$/;
/** Nothing that ends or divides a header's value: no blanks, quotes, commas, semicolons, parentheses. */
const HEADER_VALUE = /^[A-Za-z0-9!#$%&'*+.^_`|~/=@:-]*$/;
const DOTS = /^(?:\.|%2e){1,2}$/i;
const URL_PARTS = /^(https?:\/\/[^/?#@$\\\s]+)(\/[^?#\\\s]*)?(?:\?([^#\s]*))?$/;

/** @returns undefined when something in it looks like a placeholder and is none */
export function parseTemplate(text: string, known = LOGIN_PLACEHOLDERS): Template | undefined {
  const parts = text.split(/\$\{([^{}]*)\}/);
  const isRight = (part: string, index: number): boolean =>
    index % 2 === 0 ? !part.includes("${") : known.includes(part) || ATTRIBUTE.test(part);
  return parts.every(isRight) ? parts : undefined;
}

/** @returns undefined when a value can't stand there */
function fill(template: Template, meaning: ValueOf, written: (value: string) => string | undefined): string | undefined {
  let text = template[0]!;
  for (let i = 1; i < template.length; i += 2) {
    const value = meaning(template[i]!);
    const escaped = value === undefined ? undefined : written(value);
    if (escaped === undefined) return undefined;
    text += escaped + template[i + 1]!;
  }
  return text;
}

const asItIs = (value: string): string => value;

/** Half a character can't be encoded. */
function forQuery(value: string): string | undefined {
  return /[\ud800-\udfff]/u.test(value) ? undefined : encodeURIComponent(value);
}

function forPath(value: string): string | undefined {
  return value === "" || /[/\\]/.test(value) ? undefined : forQuery(value);
}

function forHeader(value: string): string | undefined {
  return HEADER_VALUE.test(value) ? value : undefined;
}

export function isHookUrl(text: string, known = LOGIN_PLACEHOLDERS): boolean {
  const [, origin, path = "/", query = ""] = URL_PARTS.exec(text) ?? [];
  const url = URL.parse(origin ?? "");
  if (url === null || !isSafeWay(url)) return false;
  return !path.split("/").some((segment) => DOTS.test(segment)) && [path, query].every((part) => parseTemplate(part, known) !== undefined);
}

/** @returns headers with small letters, or undefined when one of them is none that may be set */
export function parseHeaders(value: unknown): Readonly<Record<string, string>> | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  const entries = Object.entries(value).map(([name, text]): [string, unknown] => [name.toLowerCase(), text]);
  const isRight = ([name, text]: [string, unknown]): boolean =>
    NAME.test(name) &&
    !RESERVED.test(name) &&
    typeof text === "string" &&
    HEADER_TEXT.test(text) &&
    parseTemplate(text) !== undefined &&
    (name !== "content-type" || [FORM, JSON_TYPE].includes(text));
  if (!entries.every(isRight) || new Set(entries.map(([name]) => name)).size < entries.length) return undefined;
  return Object.fromEntries(entries) as Record<string, string>;
}

/** Whether all texts in a body are templates; names have no placeholders. */
export function isBody(value: unknown, known = LOGIN_PLACEHOLDERS): value is RequestShape["body"] {
  return typeof value === "object" && value !== null && !Array.isArray(value) && isJson(value, known);
}

function isJson(value: unknown, known: readonly string[]): boolean {
  if (typeof value === "string") return parseTemplate(value, known) !== undefined;
  if (typeof value !== "object" || value === null) return true;
  return Object.keys(value).every((name) => !name.includes("${")) && Object.values(value).every((each) => isJson(each, known));
}

/** Whether a body can be written as a form or a query: names, each with one text. */
export function isFlat(body: RequestShape["body"]): boolean {
  return Object.values(body).every((value) => ["string", "number", "boolean"].includes(typeof value));
}

/** Makes requests of one shape, which is right: its parts have been looked at by the functions above. */
export class RequestTemplate {
  readonly #shape: RequestShape;
  readonly #path: readonly Template[];
  readonly #origin: string;
  readonly #query: Template;
  readonly #known: readonly string[];

  constructor(shape: RequestShape, known = LOGIN_PLACEHOLDERS) {
    const [, origin = "", path = "/", query = ""] = URL_PARTS.exec(shape.url) ?? [];
    this.#shape = shape;
    this.#known = known;
    this.#origin = origin;
    this.#path = path.split("/").map((segment) => this.#parsed(segment));
    this.#query = this.#parsed(query);
  }

  /** @returns undefined when something that the client says can't be passed on */
  make(meaning: ValueOf): HttpRequest | undefined {
    const { method, body } = this.#shape;
    const headers = this.#headers(meaning);
    const fields = this.#filled(body, meaning);
    const url = this.#url(meaning, method === "GET" ? (fields as RequestShape["body"] | undefined) : {});
    if (headers === undefined || fields === undefined || url === undefined) return undefined;
    if (method === "GET") return { method, url, headers, body: undefined };
    const type = headers["content-type"] ?? JSON_TYPE;
    const text = type === FORM ? formOf(fields as RequestShape["body"]) : JSON.stringify(fields);
    return text === undefined ? undefined : { method, url, headers: { ...headers, "content-type": type }, body: text };
  }

  #parsed(text: string): Template {
    const template = parseTemplate(text, this.#known);
    if (template === undefined) throw new Error("a template was not looked at before it was used");
    return template;
  }

  #url(meaning: ValueOf, fields: RequestShape["body"] | undefined): string | undefined {
    const segments = this.#path.map((segment) => fill(segment, meaning, forPath));
    const query = [fill(this.#query, meaning, forQuery), fields && formOf(fields)];
    // A value may make a segment of dots, which mean another path.
    if (query.includes(undefined) || segments.some((segment) => segment === undefined || DOTS.test(segment))) return undefined;
    const asked = query.filter((part) => part !== "").join("&");
    return `${this.#origin}${segments.join("/")}${asked === "" ? "" : `?${asked}`}`;
  }

  #headers(meaning: ValueOf): Record<string, string> | undefined {
    const headers: Record<string, string> = {};
    for (const [name, text] of Object.entries(this.#shape.headers)) {
      const value = fill(this.#parsed(text), meaning, forHeader);
      if (value === undefined) return undefined;
      headers[name] = value;
    }
    return headers;
  }

  #filled(value: Json, meaning: ValueOf): Json | undefined {
    if (typeof value === "string") return fill(this.#parsed(value), meaning, asItIs);
    if (typeof value !== "object" || value === null) return value;
    const entries = Object.entries(value).map(([name, each]): [string, Json | undefined] => [name, this.#filled(each, meaning)]);
    if (entries.some(([, each]) => each === undefined)) return undefined;
    const filled = entries as [string, Json][];
    return Array.isArray(value) ? filled.map(([, each]) => each) : Object.fromEntries(filled);
  }
}

/** @returns undefined when a value can't be encoded */
function formOf(fields: RequestShape["body"]): string | undefined {
  const pairs = Object.entries(fields).map(([name, value]) => {
    const text = forQuery(String(value));
    return text === undefined ? undefined : `${encodeURIComponent(name)}=${text}`;
  });
  return pairs.includes(undefined) ? undefined : pairs.join("&");
}
