/** docs/openapi.json and docs/api-reference.md: they are what the routes of the API give, and what everybody calls an OpenAPI document. */

import { readFileSync } from "node:fs";
import { Validator } from "@seriousme/openapi-schema-validator";
import { expect, test } from "vitest";
import { DOCUMENT, openApi, pathOf, REFERENCE, reference } from "../../scripts/docs/openapi.ts";
import { STATUS } from "../../src/api/problem.ts";
import { routerOf } from "../../src/api/router.ts";
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

test("what takes a request is the route that the document has for it", () => {
  const router = routerOf(ROUTES);
  const value = "a/b ü";
  for (const route of ROUTES) {
    const names = Object.keys(route.params);
    // What is left of a path may have slashes.
    const rest = /:(\w+)\{\.\+\}$/.exec(route.path)?.[1];
    for (const spelt of [encodeURIComponent(value), ...(rest === undefined ? [] : ["a/b%20%C3%BC"])]) {
      const path = pathOf(route).replace(/\{(\w+)\}/g, (_, name) => (name === rest ? spelt : encodeURIComponent(value)));
      for (const each of [path, path.replace("password_based:", "password_based%3A")])
        expect([each, router(route.method, each)]).toEqual([
          each,
          { route, params: Object.fromEntries(names.map((name) => [name, value])) },
        ]);
    }
  }
  expect([router("GET", "/clients/"), router("HEAD", "/clients")]).toEqual([
    expect.objectContaining({ params: {} }),
    router("GET", "/clients"),
  ]);
  expect(router("GET", "/clients/a%ff%2Fb")).toMatchObject({ params: { clientid: "a%ff%2Fb" } });
  expect([router("PUT", "/clients/c"), router("GET", "/nothing"), router("GET", "/clientsx")]).toEqual([["GET", "DELETE"], [], []]);
});
