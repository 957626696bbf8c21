/**
 * How an HTTP service that knows the clients is told to the broker: the variables HTTP_AUTH_... and their parsers. Every value is judged when
 * the settings are read; what HTTP_AUTH_HEADERS contains is never repeated.
 */

import { integer, type Setting, secret, setting } from "../setting.ts";
import { FORM, isBody, isFlat, isHookUrl, parseHeaders, type RequestShape } from "./http-template.ts";

/** How a service is asked: EMQX's way, or that of mosquitto-go-auth. */
export const PRESETS = ["emqx", "go-auth"] as const;

export interface HttpSettings {
  /** Empty = there is no service. */
  readonly url: string;
  readonly preset: (typeof PRESETS)[number];
  readonly method: RequestShape["method"];
  readonly headers: RequestShape["headers"];
  /** Empty = the usual one. */
  readonly body: RequestShape["body"];
  /** For an answer; also that of a Worker. */
  readonly timeoutMs: number;
}

/** What services of EMQX's users expect. */
export const USUAL_BODY: RequestShape["body"] = {
  clientid: "${clientid}",
  username: "${username}",
  password: "${password}",
  peerhost: "${peerhost}",
};

const PLACEHOLDERS = "`${clientid} ${username} ${password} ${peerhost} ${proto_name} ${proto_ver} ${client_attrs.NAME}`";

/** In the order of the documentation. */
export const HTTP_SETTINGS: { readonly [Field in keyof HttpSettings]: Setting<HttpSettings[Field]> } = {
  url: setting(
    "HTTP_AUTH_URL",
    "",
    "an https URL (on a loopback address http too) without user, password and fragment, in whose path and query placeholders may stand; or nothing",
    `the HTTP service that is asked who may connect. Placeholders, in headers and body too: ${PLACEHOLDERS}`,
    (text) => (text === "" || isHookUrl(text) ? text : undefined),
  ),
  preset: setting(
    "HTTP_AUTH_PRESET",
    "emqx",
    PRESETS.join(" or "),
    "how it is asked: `emqx`: once, answered by 204 or JSON; `go-auth` (mosquitto-go-auth): POST to `/user` and `/superuser` below the URL, answered by status",
    (text) => PRESETS.find((preset) => preset === text),
  ),
  method: setting(
    "HTTP_AUTH_METHOD",
    "POST",
    "POST or GET",
    "the method of the request; with `GET` the fields of `HTTP_AUTH_BODY` are part of the query, which servers may log",
    (text) => (["POST", "GET"] as const).find((method) => method === text.toUpperCase()),
  ),
  headers: secret(
    "HTTP_AUTH_HEADERS",
    `a JSON object of header names and values, in which content-type is application/json or ${FORM}, or nothing`,
    'headers of the request, such as `{"authorization": "Bearer ..."}`; the body is JSON unless `content-type` says that it is a form',
    (text) => parseHeaders(jsonOf(text)),
  ),
  body: setting(
    "HTTP_AUTH_BODY",
    "",
    "a JSON object, in whose texts placeholders may stand, or nothing",
    `the body of the request; nothing = \`${JSON.stringify(USUAL_BODY)}\`, with GET none`,
    parseBody,
  ),
  timeoutMs: integer(
    "HTTP_AUTH_TIMEOUT_MS",
    5000,
    100,
    25_000,
    "how long the answer may take, milliseconds; then the client is refused (0x88, 3.x: return code 3). It also bounds the Worker behind the binding `AUTH`",
  ),
};

/** As they are where nothing is set. */
export const NO_HTTP = Object.fromEntries(
  Object.entries(HTTP_SETTINGS).map(([field, spec]) => [field, spec.parse(spec.default)]),
) as unknown as HttpSettings;

/** @returns what is wrong with values that do not go together */
export function httpProblems(settings: HttpSettings): { readonly variable: string; readonly sentence: string }[] {
  const { url, preset, method, headers, body } = settings;
  const hasBody = Object.keys(body).length > 0;
  const problem = (variable: string, what: string) => [{ variable, sentence: `${variable} ${what}.` }];
  if (url === "") {
    if (hasBody) return problem("HTTP_AUTH_BODY", "needs HTTP_AUTH_URL beside it");
    return Object.keys(headers).length > 0 ? problem("HTTP_AUTH_HEADERS", "needs HTTP_AUTH_URL beside it") : [];
  }
  if (preset === "go-auth") {
    if (hasBody || method !== "POST")
      return problem("HTTP_AUTH_PRESET", "go-auth says itself how it asks: HTTP_AUTH_METHOD and HTTP_AUTH_BODY must be left out");
    return url.includes("?") ? problem("HTTP_AUTH_URL", "must have no query with HTTP_AUTH_PRESET=go-auth: paths are put behind it") : [];
  }
  const isForm = method === "GET" || headers["content-type"] === FORM;
  if (isForm && !isFlat(body))
    return problem("HTTP_AUTH_BODY", "must have nothing but texts, numbers, true and false in a form or a query");
  return [];
}

/** The request of the preset `emqx`. */
export function requestShape({ url, method, headers, body }: HttpSettings): RequestShape {
  const isUsual = Object.keys(body).length === 0 && method === "POST";
  return { url, method, headers, body: isUsual ? USUAL_BODY : body };
}

/** @returns undefined for what is no JSON; nothing is an empty object */
function jsonOf(text: string): unknown {
  try {
    return text === "" ? {} : JSON.parse(text);
  } catch {
    return undefined;
  }
}

function parseBody(text: string): RequestShape["body"] | undefined {
  const json = jsonOf(text);
  return isBody(json) ? json : undefined;
}
