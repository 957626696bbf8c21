/** What the Worker tells an object about a socket arrives whole, also while the build that says it is not the one that reads it. */

import { expect, test } from "vitest";
import { decodeHandover, encodeHandover, type Handover } from "../../src/handshake/handover.ts";
import { NOBODY } from "../../src/session/ports.ts";

const CALLER = { namespace: "default", address: "2001:db8::1", token: "a.b.c" };
const ADMISSION = { userName: "ädá", address: "192.0.2.1", grants: '{"acl":[]}', expiresAt: 1_800_000_000_000, clientId: "c%1" };

test.each<Handover>([
  { relayed: false, caller: CALLER },
  { relayed: false, caller: CALLER, expectedClientId: "käpt" },
  { relayed: true, admission: NOBODY, assignedClientId: "auto-1" },
  { relayed: true, admission: ADMISSION, authenticationData: "dj0x" },
])("%j", (handover) => {
  const header = encodeHandover(handover);
  expect(header).toMatch(/^[\x21-\x7e]+$/);
  expect(decodeHandover(header)).toEqual(handover);
});

test("a Worker of the build before says the user name alone", () => {
  const header = encodeURIComponent(JSON.stringify({ relayed: true, userName: "ada", address: "192.0.2.1" }));
  expect(decodeHandover(header)).toMatchObject({ relayed: true, admission: { ...NOBODY, userName: "ada" } });
  expect(decodeHandover(encodeURIComponent('{"relayed":true}'))).toMatchObject({ admission: NOBODY });
});

test("an object of the build before finds the user name where it looks for it, or none", () => {
  const said = (handover: Handover): unknown =>
    (JSON.parse(decodeURIComponent(encodeHandover(handover))) as { userName?: string }).userName;
  expect([said({ relayed: true, admission: ADMISSION }), said({ relayed: true, admission: NOBODY })]).toEqual(["ädá", undefined]);
});
