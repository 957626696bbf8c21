/** docs/openapi.json and docs/api-reference.md: they are what the routes of the API give, and what everybody calls an OpenAPI document. */

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Validator } from "@seriousme/openapi-schema-validator";
import { expect, test } from "vitest";
import { ROOT } from "../../scripts/build/bundle.ts";
import { DOCUMENT, openApi, pathOf, REFERENCE, reference } from "../../scripts/docs/openapi.ts";
import { STATUS } from "../../src/api/problem.ts";
import { ROUTES } from "../../src/api/routes.ts";
import { answerOf } from "../support/contract.ts";

test("are as `npm run docs:openapi` writes them", () => {
  expect(JSON.parse(readFileSync(DOCUMENT, "utf8"))).toEqual(JSON.parse(JSON.stringify(openApi())));
  expect(readFileSync(REFERENCE, "utf8")).toBe(reference());
});

test("the document is one of OpenAPI 3.1", async () => {
  const { valid, errors } = await new Validator().validate(DOCUMENT);
  expect([valid, errors]).toEqual([true, undefined]);
});

test("every route is in it under a name of its own, with what its path has, a scope, and answers with examples of what it refuses", () => {
  const document = JSON.parse(readFileSync(DOCUMENT, "utf8"));
  const names = new Set<string>();
  for (const route of ROUTES) {
    const operation = document.paths[pathOf(route)][route.method.toLowerCase()];
    names.add(operation.operationId);
    expect(operation.summary).toMatch(/^[A-Z][^.]+$/);
    expect(operation.security).toEqual([{ bearer: [route.scope] }, { basic: [route.scope] }, { access: [route.scope] }]);
    expect([...pathOf(route).matchAll(/\{(\w+)\}/g)].map(([, name]) => name)).toEqual(Object.keys(route.params));
    for (const status of [400, 401, 403, 404, 429, 500, 503, ...Object.keys(operation.responses).map(Number)]) {
      const json = answerOf(operation, status)?.content?.["application/json"];
      const examples = Object.entries(json?.examples ?? {});
      if (status >= 400) expect([status, examples.length > 0 || json !== undefined]).toEqual([status, true]);
      for (const [code, { value }] of examples)
        expect([STATUS[code as keyof typeof STATUS], value]).toEqual([status, { code, message: expect.any(String) }]);
    }
  }
  expect(names.size).toBe(ROUTES.length);
  expect(Object.values<object>(document.paths).flatMap((path) => Object.keys(path))).toHaveLength(ROUTES.length);
  expect(document.components.schemas.Problem.properties.code.enum).toEqual(Object.keys(STATUS));
});

test("nothing that it does not know of is served: routes are data, and one file makes paths of them", () => {
  const folder = join(ROOT, "src/api");
  const hosts = readdirSync(folder).filter((file) =>
    /new Hono|\.(?:get|post|put|delete|patch|on|route)\("?\//.test(readFileSync(join(folder, file), "utf8")),
  );
  expect(hosts).toEqual(["api.ts"]);
  const made = [...readFileSync(join(folder, "api.ts"), "utf8").matchAll(/\bapi\.(\w+)\(/g)].map(([, method]) => method);
  expect(made).toEqual(["use", "on", "all", "all", "onError"]);
});
