/**
 * How an HTTP service that knows the clients is told to the broker: the variables HTTP_AUTH_... and their parsers. Every value is judged when
 * the settings are read; what HTTP_AUTH_HEADERS contains is never repeated.
 */

import { defaultsOf, flag, integer, type Setting, secret, setting } from "../setting.ts";
import { FORM, isBody, isFlat, isHookUrl, parseHeaders, type RequestShape, SUBSCRIBE_PLACEHOLDERS } from "./http-template.ts";

/** How a service is asked: EMQX's way, or that of mosquitto-go-auth. */
const PRESETS = ["emqx", "go-auth"] as const;

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
  /** Where subscriptions are asked about; empty = nowhere. */
  readonly authzUrl: string;
  /** Empty = the usual one. */
  readonly authzBody: RequestShape["body"];
  /** Whether the Worker behind AUTH is asked about subscriptions too. */
  readonly serviceAuthorizes: boolean;
}

/** What services of EMQX's users expect. */
const USUAL_BODY: RequestShape["body"] = {
  clientid: "${clientid}",
  username: "${username}",
  password: "${password}",
  peerhost: "${peerhost}",
};

const USUAL_AUTHZ_BODY: RequestShape["body"] = {
  clientid: "${clientid}",
  username: "${username}",
  peerhost: "${peerhost}",
  action: "${action}",
  topic: "${topic}",
  qos: "${qos}",
};

const PLACEHOLDERS = "`${clientid} ${username} ${password} ${peerhost} ${proto_name} ${proto_ver} ${namespace} ${client_attrs.NAME}`";

/** In the order of the documentation. */
export const HTTP_SETTINGS = {
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
    (text) => parseBody(text),
  ),
  timeoutMs: integer(
    "HTTP_AUTH_TIMEOUT_MS",
    5000,
    100,
    25_000,
    "how long the answer may take, milliseconds; then the client is refused (0x88, 3.x: return code 3). It also bounds the Worker behind the binding `AUTH`",
  ),
  authzUrl: setting(
    "HTTP_AUTHZ_URL",
    "",
    "a URL like HTTP_AUTH_URL, or nothing",
    "the HTTP service that is asked for each filter of a SUBSCRIBE of which no rule says anything. More placeholders: `${action} ${topic} ${qos} ${retain}`. Method, headers and time are those of `HTTP_AUTH_URL`; the preset `go-auth` asks `/acl` below that instead",
    (text) => (text === "" || isHookUrl(text, SUBSCRIBE_PLACEHOLDERS) ? text : undefined),
  ),
  authzBody: setting(
    "HTTP_AUTHZ_BODY",
    "",
    "a JSON object, in whose texts placeholders may stand, or nothing",
    `the body of that request; nothing = \`${JSON.stringify(USUAL_AUTHZ_BODY)}\``,
    (text) => parseBody(text, SUBSCRIBE_PLACEHOLDERS),
  ),
  serviceAuthorizes: flag(
    "AUTH_AUTHORIZE",
    false,
    "`true` asks the Worker behind the binding `AUTH` too for each filter of a SUBSCRIBE of which no rule says anything (its method `authorize`)",
  ),
} satisfies { readonly [Field in keyof HttpSettings]: Setting<HttpSettings[Field]> };

/** As they are where nothing is set. */
export const NO_HTTP: HttpSettings = defaultsOf(HTTP_SETTINGS);

/** @returns what is wrong with values that do not go together */
export function httpProblems(settings: HttpSettings): { readonly variable: string; readonly sentence: string }[] {
  const { url, preset, method, headers, body, authzUrl, authzBody } = settings;
  const hasBody = Object.keys(body).length > 0;
  const problem = (variable: string, what: string) => [{ variable, sentence: `${variable} ${what}.` }];
  if (url === "") {
    if (hasBody) return problem("HTTP_AUTH_BODY", "needs HTTP_AUTH_URL beside it");
    if (Object.keys(headers).length > 0 && authzUrl === "") return problem("HTTP_AUTH_HEADERS", "needs HTTP_AUTH_URL beside it");
    if (preset === "go-auth") return problem("HTTP_AUTH_PRESET", "go-auth needs HTTP_AUTH_URL beside it");
  }
  if (authzUrl === "" && Object.keys(authzBody).length > 0) return problem("HTTP_AUTHZ_BODY", "needs HTTP_AUTHZ_URL beside it");
  if (preset === "go-auth") {
    if (hasBody || method !== "POST")
      return problem("HTTP_AUTH_PRESET", "go-auth says itself how it asks: HTTP_AUTH_METHOD and HTTP_AUTH_BODY must be left out");
    if (authzUrl !== "")
      return problem("HTTP_AUTHZ_URL", "must be left out with HTTP_AUTH_PRESET=go-auth: it asks /acl below HTTP_AUTH_URL");
    return url.includes("?") ? problem("HTTP_AUTH_URL", "must have no query with HTTP_AUTH_PRESET=go-auth: paths are put behind it") : [];
  }
  const isForm = method === "GET" || headers["content-type"] === FORM;
  const flat = "must have nothing but texts, numbers, true and false in a form or a query";
  if (isForm && !isFlat(body)) return problem("HTTP_AUTH_BODY", flat);
  return isForm && !isFlat(authzBody) ? problem("HTTP_AUTHZ_BODY", flat) : [];
}

/** The request of the preset `emqx`. */
export function requestShape({ url, method, headers, body }: HttpSettings): RequestShape {
  return shapeOf(url, method, headers, body, USUAL_BODY);
}

/** The request about a subscription. */
export function authzShape({ authzUrl, method, headers, authzBody }: HttpSettings): RequestShape {
  return shapeOf(authzUrl, method, headers, authzBody, USUAL_AUTHZ_BODY);
}

function shapeOf(
  url: string,
  method: RequestShape["method"],
  headers: RequestShape["headers"],
  body: RequestShape["body"],
  usual: RequestShape["body"],
): RequestShape {
  const isUsual = Object.keys(body).length === 0 && method === "POST";
  return { url, method, headers, body: isUsual ? usual : body };
}

/** @returns undefined for what is no JSON; nothing is an empty object */
function jsonOf(text: string): unknown {
  try {
    return text === "" ? {} : JSON.parse(text);
  } catch {
    return undefined;
  }
}

function parseBody(text: string, known?: readonly string[]): RequestShape["body"] | undefined {
  const json = jsonOf(text);
  return isBody(json, known) ? json : undefined;
}
