/**
 * `npm run docs:openapi`: writes docs/openapi.json, the OpenAPI document of the HTTP API, and docs/api-reference.md, a table of the same, out of
 * the routes that serve it. Tests compare both with what this would write.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { toJSONSchema } from "zod/mini";
import { USER_PROPERTIES } from "../../src/api/message.ts";
import { KEY_HEADER } from "../../src/api/once.ts";
import { type ProblemCode, STATUS } from "../../src/api/problem.ts";
import { RULES } from "../../src/api/rights.ts";
import { EVENTS, NOTHING, type Route } from "../../src/api/route.ts";
import { ROUTES } from "../../src/api/routes.ts";
import type { Schema } from "../../src/api/schema.ts";
import { API_SCOPES } from "../../src/auth/api-token.ts";
import { ROOT } from "../build/bundle.ts";

type Json = { [name: string]: unknown };

export const DOCUMENT = join(ROOT, "docs/openapi.json");
export const REFERENCE = join(ROOT, "docs/api-reference.md");

const TEXT = { type: "string" };

/** What the code checks otherwise than by a schema. */
const BY_HAND = new Map<unknown, Json>([
  [
    USER_PROPERTIES,
    {
      anyOf: [
        { type: "object", additionalProperties: TEXT },
        { type: "array", items: { type: "array", prefixItems: [TEXT, TEXT], minItems: 2, maxItems: 2 } },
      ],
    },
  ],
  [RULES, { type: "array", items: { $ref: "#/components/schemas/Rule" } }],
]);

const RULE = {
  description: "Says what may be done, or not; the first rule that matches decides (docs/security.md).",
  type: "object",
  required: ["permission", "action"],
  properties: {
    permission: { enum: ["allow", "deny"] },
    action: { enum: ["publish", "pub", "subscribe", "sub", "receive", "all"] },
    topic: TEXT,
    topics: { type: "array", items: TEXT },
    qos: { anyOf: [{ enum: [0, 1, 2] }, { type: "array", items: { enum: [0, 1, 2] } }] },
    retain: { enum: [true, false, "all"] },
    ...Object.fromEntries(["clientid", "username", "clientid_re", "username_re", "ipaddr"].map((name) => [name, TEXT])),
  },
};

/** A sentence of each. */
const EXAMPLES: Readonly<Record<ProblemCode, string>> = {
  BAD_REQUEST: "qos must be 0, 1 or 2.",
  ALREADY_EXISTS: "There is such a user already.",
  NOT_FOUND: "There is no such namespace.",
  CLIENTID_NOT_FOUND: "There is no such client.",
  UNAUTHORIZED: "The API is used with the header Authorization: Bearer, and a token of API_TOKENS or the token in ADMIN_TOKEN.",
  FORBIDDEN: "This needs a token with the scope publish.",
  METHOD_NOT_ALLOWED: "This path of the API knows GET and DELETE.",
  PAYLOAD_TOO_LARGE: "A body has at most 4194304 bytes.",
  TOO_MANY_REQUESTS: "These are more requests than API_RATE allows; try again later.",
  INTERNAL_ERROR: "The broker failed to answer this request.",
  OUTCOME_UNKNOWN: "A request with this key was begun, and it is not known what became of it.",
  IDEMPOTENCY_KEY_REUSED: "This key was used for another request.",
  NOT_TAKEN: "The client has refused the message, or it is larger than the client accepts, or its session has ended.",
  SERVICE_UNAVAILABLE: "The keys that tokens are checked with are not available; try again.",
  TIMEOUT: "Request to devices/door: no response within 5000 ms.",
};

const WHEN: Readonly<Record<number, string>> = {
  200: "Done",
  201: "Added",
  202: "Nobody is subscribed to it; one that is retained is kept",
  204: "Done",
  400: "What is asked for is not right",
  401: "No token that is good here",
  403: "Not for whom this token is",
  404: "There is none",
  409: "It is there already, or may have been done already",
  413: "The body is too large",
  422: "It was understood, and could not be done",
  429: "Too many",
  500: "The broker failed",
  503: "Not now; it may be tried again",
  504: "Nothing came in time",
};

/** What every route may say. */
const COMMON: readonly ProblemCode[] = [
  ...(["BAD_REQUEST", "UNAUTHORIZED", "FORBIDDEN", "NOT_FOUND", "TOO_MANY_REQUESTS", "INTERNAL_ERROR", "SERVICE_UNAVAILABLE"] as const),
];

/** @returns a path as OpenAPI writes it */
export function pathOf({ path }: Route): string {
  return path.replace(/(?<=\/):(\w+)(?:\{[^/]*\})?/g, "{$1}");
}

/** @returns the codes that a route may answer with */
export function codesOf({ body, headers, problems }: Route): ProblemCode[] {
  return [
    ...COMMON,
    ...(KEY_HEADER in headers ? (["OUTCOME_UNKNOWN", "IDEMPOTENCY_KEY_REUSED"] as const) : []),
    ...(body === undefined ? [] : ["PAYLOAD_TOO_LARGE" as const]),
    ...problems,
  ];
}

function schemaOf(schema: Schema, io: "input" | "output"): Json {
  const json = toJSONSchema(schema, {
    io,
    unrepresentable: "any",
    override: ({ zodSchema, jsonSchema }) => {
      const own = BY_HAND.get(zodSchema);
      const target = jsonSchema as Json;
      if (own !== undefined) {
        for (const name of Object.keys(target)) if (name !== "description") delete target[name];
        Object.assign(target, own);
      }
      if (target.minimum === Number.MIN_SAFE_INTEGER) delete target.minimum;
      if (target.maximum === Number.MAX_SAFE_INTEGER) delete target.maximum;
      // What answers have may become more.
      if (io === "output" && target.additionalProperties === false) delete target.additionalProperties;
      // What a text means may be a number.
      if (target.type === "string" && typeof target.default !== "string") delete target.default;
    },
  });
  const { $schema: _, ...plain } = JSON.parse(JSON.stringify(json)) as Json;
  return plain;
}

function parametersOf({ params, query, headers }: Route): Json[] {
  const named = (place: string, shape: Readonly<Record<string, Schema>>): Json[] =>
    Object.entries(shape).map(([name, schema]) => {
      const { description, ...plain } = schemaOf(schema, "input");
      const isOptional = ["optional", "default"].includes((schema as { type?: string }).type ?? "");
      return { name, in: place, ...(description === undefined ? {} : { description }), required: !isOptional, schema: plain };
    });
  return [...named("path", params), ...named("query", query), ...named("header", headers)];
}

function bodyOf({ body }: Route): Json {
  if (body === undefined) return {};
  if (body.schema === undefined) return { requestBody: { required: true, content: { "application/octet-stream": {} } } };
  const content: Json = { "application/json": { schema: schemaOf(body.schema, "input") } };
  if (body.isLines) content["application/x-ndjson"] = { schema: TEXT };
  return { requestBody: { required: true, content } };
}

function answersOf(route: Route): Json {
  const codes = codesOf(route);
  const statuses = new Set([...Object.keys(route.answers).map(Number), ...codes.map((code) => STATUS[code])]);
  return Object.fromEntries([...statuses].sort((one, other) => one - other).map((status) => [status, answerOf(route, status, codes)]));
}

function answerOf(route: Route, status: number, all: readonly ProblemCode[]): Json {
  const schema: Schema | undefined = route.answers[status as keyof Route["answers"]];
  const codes = all.filter((code) => STATUS[code] === status);
  if (schema === undefined) return { $ref: `#/components/responses/${codes.join(".")}` };
  const description = WHEN[status]!;
  if (schema === NOTHING) return { description };
  if (schema === EVENTS) return { description: "Server-Sent Events", content: { "text/event-stream": { schema: TEXT } } };
  const told = schemaOf(schema, "output");
  if (codes.length === 0) return { description, content: { "application/json": { schema: told } } };
  return { description, content: { "application/json": { schema: { anyOf: [told, PROBLEM] }, examples: examplesOf(codes) } } };
}

const PROBLEM = { $ref: "#/components/schemas/Problem" };

function examplesOf(codes: readonly ProblemCode[]): Json {
  return Object.fromEntries(codes.map((code) => [code, { value: { code, message: EXAMPLES[code] } }]));
}

/** The answers that have a problem and nothing else, by their codes. */
function refusals(): Json {
  const refusalsOf = (route: Route): readonly (readonly ProblemCode[])[] => {
    const codes = codesOf(route);
    return codes.map((one) => codes.filter((other) => STATUS[other] === STATUS[one]));
  };
  const answers = ROUTES.flatMap(refusalsOf).map((codes) => {
    const status = STATUS[codes[0]!];
    const headers = status === 429 ? { headers: { "Retry-After": { description: "Seconds.", schema: { type: "integer" } } } } : {};
    const content = { "application/json": { schema: PROBLEM, examples: examplesOf(codes) } };
    return [codes.join("."), { description: WHEN[status], ...headers, content }];
  });
  return Object.fromEntries(answers);
}

function operationOf(route: Route): Json {
  const { method, scope, summary } = route;
  const words = pathOf(route)
    .split(/[^a-zA-Z]+/)
    .filter((word) => word !== "");
  return {
    operationId: [method.toLowerCase(), ...words.map((word) => word[0]!.toUpperCase() + word.slice(1))].join(""),
    tags: [words[0]],
    summary,
    security: ["bearer", "basic", "access"].map((scheme) => ({ [scheme]: [scope] })),
    parameters: [...parametersOf(route), { $ref: "#/components/parameters/namespace" }],
    ...bodyOf(route),
    responses: answersOf(route),
  };
}

/** @returns the document as it is written */
export function openApi(): Json {
  const { version, license } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { version: string; license: string };
  const paths: { [path: string]: Json } = {};
  for (const route of ROUTES) {
    const path = pathOf(route);
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operationOf(route) };
  }
  return {
    openapi: "3.1.1",
    info: {
      title: "durable-mqtt",
      version,
      summary: "The HTTP API of an MQTT broker",
      description:
        "In the shapes of EMQX; docs/api.md is the readable one. The Content-Type of a request is not looked at. Of what is called . or .. a path has _, and the query has it by the name of that part.",
      license: { name: license, identifier: license },
    },
    servers: [{ url: "/api/v5" }],
    tags: [...new Set(ROUTES.map((route) => (operationOf(route).tags as string[])[0]!))].map((name) => ({ name })),
    paths,
    components: {
      securitySchemes: {
        bearer: {
          type: "http",
          scheme: "bearer",
          description: `A token with the scope that an operation names: ${API_SCOPES.join(", ")}.`,
        },
        access: {
          ...{ type: "apiKey", in: "header", name: "Cf-Access-Jwt-Assertion" },
          description: "What Cloudflare Access adds to what it lets through, where the broker is told to believe it.",
        },
        basic: { type: "http", scheme: "basic", description: "The name of a token as the user, and the token as the password." },
      },
      parameters: {
        namespace: {
          name: "namespace",
          in: "query",
          description: "Which namespace it is about.",
          schema: { type: "string", default: "default" },
        },
      },
      responses: refusals(),
      schemas: {
        Problem: {
          type: "object",
          required: ["code", "message"],
          properties: {
            code: { enum: Object.keys(STATUS), description: "For programs." },
            message: { type: "string", description: "For people: a sentence that names the field and what was expected." },
          },
        },
        Rule: RULE,
      },
    },
  };
}

/** @returns the page as it is written */
export function reference(): string {
  const rows = ROUTES.map((route) => {
    const { method, scope, summary, query, headers, body, answers, problems } = route;
    const names = Object.keys(query).map((name) => `\`?${name}=\``);
    const fields = body?.schema === undefined ? [] : fieldsOf(schemaOf(body.schema, "input"));
    const takes = [...names, ...Object.keys(headers).map((name) => `\`${name}\``), ...fields.map((name) => `\`${name}\``)];
    const says = [...Object.keys(answers), ...problems.map((code) => `${STATUS[code]} \`${code}\``)];
    return `| \`${method} ${pathOf(route)}\` | \`${scope}\` | ${summary} | ${takes.join(" ")} | ${says.join(", ")} |\n`;
  });
  const codes = Object.entries(STATUS).map(([code, status]) => `| \`${code}\` | ${status} | ${EXAMPLES[code as ProblemCode]} |\n`);
  return `# Reference of the HTTP API

\`npm run docs:openapi\` writes this page, and the [OpenAPI document](openapi.json) of the same, which the broker's page serves at \`/openapi.json\`. [The HTTP
API](api.md) is the page to read first. Paths are below \`/api/v5\`, and all of them take \`?namespace=\`.

| request | scope | what it does | what it takes | what it answers |
|---|---|---|---|---|
${rows.join("")}
Besides, everything may be answered with 401, 403, 404 (where there is no such thing, no such namespace, or no directory), 429, 500 and 503, and what takes something with
400 and 413: \`{"code", "message"}\`, with a sentence that names the field and what was expected.

| code | status | such as |
|---|---|---|
${codes.join("")}`;
}

/** The fields of a body, or of what it is a list of. */
function fieldsOf(schema: Json): string[] {
  const { properties, items } = schema as { properties?: Json; items?: Json };
  return Object.keys(properties ?? (items?.properties as Json | undefined) ?? {});
}

if (process.argv[1] === import.meta.filename) {
  writeFileSync(DOCUMENT, `${JSON.stringify(openApi(), undefined, 2)}\n`);
  writeFileSync(REFERENCE, reference());
}
