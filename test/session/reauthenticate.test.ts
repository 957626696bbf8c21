/** Re-authentication as the session core decides it: what leaves through the port, and what its answers do. */

import { expect, test } from "vitest";
import { DEFAULT_CHOICES } from "../../src/choices.ts";
import { DEFAULT_LIMITS } from "../../src/limits.ts";
import { decodePacket } from "../../src/mqtt/decode.ts";
import { AUTH, DISCONNECT, type Packet } from "../../src/mqtt/packet.ts";
import { SessionCore } from "../../src/session/core.ts";
import { SessionMachine } from "../../src/session/machine.ts";
import { type AuthenticationStep, NOBODY, type ReauthenticationListener, type RouterPort, type Wire } from "../../src/session/ports.ts";
import { MemorySessionStore } from "../../src/storage/memory-session-store.ts";
import { createRowMeter } from "../../src/storage/row-meter.ts";
import { connect, utf8 } from "../auth/support.ts";
import { auth, REAUTHENTICATE } from "../support/auth-packets.ts";
import { NO_FAULTS } from "../support/faults.ts";
import { ALL_RIGHTS } from "../support/rights.ts";
import { SCRAM_SHA_256 } from "../support/scram-client.ts";

/** A core with one connection of ada, who came in by a method. */
function begin({ knowsMethod = true } = {}) {
  const sent: Packet[] = [];
  const said: string[] = [];
  let listener: ReauthenticationListener | undefined;
  let cancelled = 0;
  const core = new SessionCore({
    faults: NO_FAULTS,
    origin: "test",
    limits: DEFAULT_LIMITS,
    choices: DEFAULT_CHOICES,
    store: new MemorySessionStore(createRowMeter()),
    // No client of these tests subscribes or publishes.
    router: {} as RouterPort,
    authorizer: ALL_RIGHTS,
    reauthentication: {
      begin(method, _clientId, _caller, given) {
        if (!knowsMethod || method !== SCRAM_SHA_256) return undefined;
        listener = given;
        return {
          step: (data) => void said.push(new TextDecoder().decode(data)),
          cancel: () => {
            cancelled += 1;
          },
        };
      },
    },
    now: 1000,
  });
  const machine = new SessionMachine(core);
  const wire: Wire = {
    send: (bytes) => void sent.push(decodePacket(bytes, 5) as Packet),
    close: () => {},
    attach: () => {},
  };
  const packet = { ...connect(), properties: { authenticationMethod: SCRAM_SHA_256 } };
  const options = { assigned: false, relayed: false, authenticationData: undefined };
  const connection = machine.connect(wire, packet, ADA.identity, options, 1000)!;
  sent.length = 0;
  machine.handle(connection, auth(REAUTHENTICATE, utf8("again")), 2000);
  const answer = (step: AuthenticationStep): void => listener?.answered(step, 3000);
  return { core, machine, connection, sent, said, answer, cancelled: () => cancelled };
}

const ADA = { kind: "success", identity: { ...NOBODY, userName: "ada" }, data: undefined } as const;

test("[MQTT5-4.12.1-2] a method that has gone since CONNECT ends the connection with 0x87", () => {
  const { connection, sent } = begin({ knowsMethod: false });
  expect(sent).toMatchObject([{ type: DISCONNECT, reasonCode: 0x87 }]);
  expect(connection.open).toBe(false);
});

test("what the client says goes to the port; its success comes back as AUTH 0x00 without data when there is none", () => {
  const { connection, said, sent, answer } = begin();
  expect([said, sent]).toEqual([["again"], []]);
  answer(ADA);
  expect(sent).toEqual([{ type: AUTH, reasonCode: 0, properties: { authenticationMethod: SCRAM_SHA_256 } }]);
  expect([connection.open, connection.reauthentication]).toEqual([true, undefined]);
});

test("[MQTT5-4.12.1-2] a refusal's code is kept where DISCONNECT has it, else it is 0x87", () => {
  for (const [reasonCode, found] of [
    [0x87, 0x87],
    [0x89, 0x89],
    [0x86, 0x87],
    [0x8c, 0x87],
  ] as const) {
    const { sent, answer } = begin();
    answer({ reasonCode, message: "no" });
    expect(sent).toMatchObject([{ type: DISCONNECT, reasonCode: found, properties: { reasonString: "no" } }]);
  }
});

test("when the connection ends, so does its exchange, and an answer that comes too late has no effect", () => {
  const { machine, connection, sent, answer, cancelled } = begin();
  machine.lost(connection, 2500);
  expect(cancelled()).toBe(1);
  answer(ADA);
  expect(sent).toEqual([]);
});
