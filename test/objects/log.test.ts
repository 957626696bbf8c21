/** Lines of the log: one JSON object each, of a bounded length whatever clients name. */

import { expect, test, vi } from "vitest";
import { LOG_FACT_CHARACTERS_MAX } from "../../src/limits.ts";
import { log } from "../../src/objects/log.ts";

test("a long fact is cut, a short one stays", () => {
  const said = vi.spyOn(console, "log").mockImplementation(() => {});
  log("something", { client: "\u0001".repeat(65_535), object: "o", count: 3 });
  const [[line]] = said.mock.calls as [[string]];
  said.mockRestore();
  const facts = JSON.parse(line) as Record<string, unknown>;
  expect(facts).toMatchObject({ event: "something", object: "o", count: 3 });
  expect(facts.client).toHaveLength(LOG_FACT_CHARACTERS_MAX + "...".length);
});
