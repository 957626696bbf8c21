/** Clauses of MQTT 3.1.1 that no client can provoke from outside, on the session core alone. */

import { expect, it } from "vitest";
import { DEFAULT_CHOICES } from "../../../src/choices.ts";
import { DEFAULT_LIMITS } from "../../../src/limits.ts";
import { decodePacket } from "../../../src/mqtt/decode.ts";
import { type Packet, PUBACK } from "../../../src/mqtt/packet.ts";
import { IMPLEMENTATION_SPECIFIC_ERROR } from "../../../src/mqtt/reason-code.ts";
import { SessionCore } from "../../../src/session/core.ts";
import { SessionMachine } from "../../../src/session/machine.ts";
import type { Ticket, Wire } from "../../../src/session/ports.ts";
import { NOBODY } from "../../../src/session/ports.ts";
import type { Connection } from "../../../src/session/session.ts";
import { MemorySessionStore } from "../../../src/storage/memory-session-store.ts";
import { createRowMeter } from "../../../src/storage/row-meter.ts";
import { NO_FAULTS } from "../../support/faults.ts";
import { connectPacket, publishPacket } from "../../support/mqtt-client.ts";
import { ALL_RIGHTS } from "../../support/rights.ts";

class TestWire implements Wire {
  readonly packets: Packet[] = [];
  closed: number | undefined;

  send(bytes: Uint8Array): void {
    this.packets.push(decodePacket(bytes, 4) as Packet);
  }
  close(code: number): void {
    this.closed = code;
  }
  attach(): void {}
}

it("[MQTT311-4.8.0-2] [3.1.1/4.8/isolation] (core) a message that can't be handed on, for the outbox is full, closes the connection it came on and no other", () => {
  const tickets: Ticket[] = [];
  const core = new SessionCore({
    faults: NO_FAULTS,
    origin: "test@1",
    limits: DEFAULT_LIMITS,
    choices: DEFAULT_CHOICES,
    store: new MemorySessionStore(createRowMeter()),
    router: {
      publish: (_message, ticket) => void (ticket && tickets.push(ticket)),
      subscribe: (_wanted, ticket) => ticket.settled(0),
      unsubscribe: () => {},
      share: (_filter, _members, _online, _version, ticket) => ticket?.settled(0),
      redistribute: () => false,
      wantedEvents: undefined,
      tells: () => {},
      places: () => [],
      ask: () => {},
    },
    authorizer: ALL_RIGHTS,
    reauthentication: { begin: () => undefined },
    now: 1,
  });
  const machine = new SessionMachine(core);
  const connect = (clientId: string): { wire: TestWire; connection: Connection } => {
    const wire = new TestWire();
    const options = { assigned: false, relayed: false, authenticationData: undefined };
    return { wire, connection: machine.connect(wire, connectPacket({ clientId }), NOBODY, options, 1)! };
  };
  const unlucky = connect("unlucky");
  const other = connect("other");
  for (const [packetId, { connection }] of [unlucky, other].entries()) {
    machine.handle(connection, publishPacket("t", "", { qos: 1, packetId: packetId + 1 }), 2);
  }
  tickets[0]!.settled(IMPLEMENTATION_SPECIFIC_ERROR);
  tickets[1]!.settled(0);
  expect(unlucky.wire.closed).toBeDefined();
  expect(unlucky.wire.packets.filter(({ type }) => type === PUBACK)).toEqual([]);
  expect(other.wire.closed).toBeUndefined();
  expect(other.wire.packets.at(-1)).toMatchObject({ type: PUBACK, packetId: 2 });
});
