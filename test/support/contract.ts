/** Holds what the API answers to its OpenAPI document: every status that comes is in it, and every body is what it says. */

import { readFileSync } from "node:fs";
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import { DOCUMENT } from "../../scripts/docs/openapi.ts";

interface Answer {
  readonly $ref?: string;
  readonly content?: Readonly<
    Record<string, { readonly schema: object; readonly examples?: Readonly<Record<string, { readonly value: unknown }>> }>
  >;
}

export interface Operation {
  readonly security: readonly Readonly<Record<string, readonly string[]>>[];
  readonly parameters: readonly { readonly name?: string; readonly in?: string; readonly required?: boolean; readonly schema?: object }[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema?: object }>> };
  readonly responses: Readonly<Record<string, Answer>>;
}

interface OpenApi {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: object; readonly responses: Readonly<Record<string, Answer>> };
}

export const openApi = JSON.parse(readFileSync(DOCUMENT, "utf8")) as OpenApi;

/** Those with fewer parameters first: what is named is meant. */
const PATHS = Object.keys(openApi.paths)
  .sort((one, other) => one.split("{").length - other.split("{").length)
  .map((path) => ({ path, pattern: new RegExp(`^${path.replace(/\{\w+\}/g, ".+")}/?$`) }));

const ajv = new Ajv2020({ strict: false });
const checks = new Map<string, ValidateFunction>();

/** What an operation answers with a status, wherever the document has it. */
export function answerOf({ responses }: Operation, status: number): Answer | undefined {
  const answer = responses[status];
  return answer?.$ref === undefined ? answer : openApi.components.responses[answer.$ref.split("/").at(-1)!];
}

/** @param path behind /api/v5, with or without a query @returns undefined for what the document does not have */
export function operationAt(method: string, path: string): { readonly path: string; readonly operation: Operation } | undefined {
  const [plain = ""] = path.replaceAll("%3A", ":").split("?");
  const found = PATHS.find((each) => each.pattern.test(plain) && openApi.paths[each.path]![method.toLowerCase()] !== undefined);
  return found && { path: found.path, operation: openApi.paths[found.path]![method.toLowerCase()]! };
}

/** @throws Error that says where an answer is not what the document says */
export function expectContract(method: string, path: string, status: number, body: unknown): void {
  const found = operationAt(method, path);
  if (found === undefined) {
    // Nothing is there, or it knows no such method.
    expectProblem([401, 403, 404, 405, 429], status, body, `${method} ${path}`);
    return;
  }
  const what = `${method} ${found.path} ${status}`;
  const answer = answerOf(found.operation, status);
  if (answer === undefined) throw new Error(`${what} is not in the document: ${JSON.stringify(body)}`);
  const schema = answer.content?.["application/json"]?.schema;
  if (schema === undefined) {
    if (body !== undefined) throw new Error(`${what} has a body that is not in the document: ${JSON.stringify(body)}`);
    return;
  }
  const check = checks.get(what) ?? ajv.compile({ ...closed(schema), components: { schemas: closed(openApi.components.schemas) } });
  checks.set(what, check);
  if (!check(body)) throw new Error(`${what} is not what the document says: ${ajv.errorsText(check.errors)} in ${JSON.stringify(body)}`);
}

function expectProblem(statuses: readonly number[], status: number, body: unknown, what: string): void {
  const isOne = typeof (body as { code?: unknown } | undefined)?.code === "string";
  if (!statuses.includes(status) || !isOne)
    throw new Error(`${what} is not in the document, and was answered ${status} ${JSON.stringify(body)}`);
}

/** With the fields that it names and no others. */
function closed<Value>(schema: Value): Value {
  if (Array.isArray(schema)) return schema.map(closed) as Value;
  if (typeof schema !== "object" || schema === null) return schema;
  const entries = Object.entries(schema).map(([name, value]) => [name, closed(value)]);
  const isOpen = "properties" in schema && "type" in schema && !("additionalProperties" in schema);
  return Object.fromEntries(isOpen ? [...entries, ["additionalProperties", false]] : entries);
}
