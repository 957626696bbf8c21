/** Rights of the connections that the broker makes to itself for other Workers. */

import { expect, test } from "vitest";
import { ServiceRights } from "../../src/auth/service-rights.ts";
import { type Authorizer, NOBODY, SERVICE_GRANTS } from "../../src/session/ports.ts";

const NOTHING: Authorizer = {
  mayPublish: () => false,
  maySubscribe: () => false,
  limitsReceive: () => true,
  mayReceive: () => false,
};
const SERVICE = { ...NOBODY, grants: SERVICE_GRANTS };

test("they may do everything, and others what others say", () => {
  const rights = new ServiceRights({ ...NOTHING, mayKeep: (_identity, _clientId, filter) => filter === "a" });
  for (const [identity, may] of [
    [SERVICE, true],
    [NOBODY, false],
  ] as const) {
    expect(rights.mayPublish(identity, "c", "t", 0, false)).toBe(may);
    expect(rights.maySubscribe(identity, "c", "t", 0)).toBe(may);
    expect(rights.mayKeep!(identity, "c", "t", 0)).toBe(may);
    expect(rights.limitsReceive(identity, "c")).toBe(!may);
    expect(rights.mayReceive(identity, "c", "t")).toBe(may);
  }
  expect(rights.mayKeep!(NOBODY, "c", "a", 0)).toBe(true);
});

test("what may be kept is said only where others say it: where rules alone decide, what waited is looked at by them alone", () => {
  expect(new ServiceRights(NOTHING).mayKeep).toBeUndefined();
});
