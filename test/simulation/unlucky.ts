/**
 * A client to which faults of the broker's own happen: ports throw where they serve it, and only there. It is none of the clients whose
 * promises are checked; what is checked is that these notice nothing, and that no fault is told of anybody else.
 */

import { RecordReader } from "../../src/mqtt/record.ts";
import type { Router } from "../../src/objects/router.ts";
import { SocketWire } from "../../src/objects/socket-wire.ts";
import type { RetainedRow, RoutingStore } from "../../src/routing/ports.ts";
import type { SessionStore, Ticket } from "../../src/session/ports.ts";
import { RowTooLarge } from "../../src/storage/row-limit.ts";
import { readStoredMessage } from "../../src/topic/stored-message.ts";
import { LONG_SECONDS, SimulatedClient } from "./client.ts";
import type { Random } from "./random.ts";
import type { Published } from "./records.ts";
import type { SimulatedSocket } from "./socket.ts";
import { calm, type World } from "./world.ts";

export const UNLUCKY = "unlucky";

/** Nobody else subscribes to it by name, and nothing is retained on it but what its client sends. */
const TOPIC = `${UNLUCKY}/topic`;

/** What ports say when they are made to fail. */
const INJECTED = "made to fail";

/** A client with a session that is kept, a will, and a subscription to everything. */
export function unluckyClient(world: World, random: Random, published: Published[]): SimulatedClient {
  return new SimulatedClient(
    world,
    {
      id: UNLUCKY,
      version: random.pick([4, 5]),
      expirySeconds: random.chance(0.7) ? LONG_SECONDS : 0,
      keepAliveSeconds: 20,
      slowMs: 0,
      receiveMaximum: undefined,
      will: { qos: 1, delaySeconds: 0 },
      long: false,
      relayed: random.chance(0.5),
    },
    published,
  );
}

/** What it does now and then. */
export function actUnlucky(client: SimulatedClient, random: Random): void {
  if (!client.connected) client.connect();
  else if (random.chance(0.3)) client.subscribe(random.pick(["#", "a/#", TOPIC]), 2);
  else if (random.chance(0.1)) client.unsubscribe(random.pick(["#", "a/#"]));
  else client.publish(TOPIC, random.pick([0, 1, 2, 2]), { kind: random.chance(0.2) ? "retained" : "message" });
}

/** No more faults happen to it: all that it had begun comes to its end. Then it goes for good, and leaves nothing. */
export async function leaveUnlucky(world: World, client: SimulatedClient, published: readonly Published[]): Promise<void> {
  client.connect();
  // Its object must not forget in its sleep what it waits for.
  for (let seconds = 0; seconds < 60; seconds += 3) {
    client.publish(TOPIC, 0);
    await calm(world, 3_000);
  }
  if (client.connected && !client.quiet) world.problem(`${UNLUCKY} waits for an answer that does not come`);
  client.drop();
  await calm(world, 20_000);
  client.endSession();
  await calm(world, 20_000);
  client.disconnect();
  // With its session a fault may have ended what it had begun: what it repeats then is another message.
  for (const each of published) if (each.publisher === UNLUCKY) each.inDoubt = true;
}

/** How much more often than others. What ends its session must not hide what else there is to see of it. */
const OFTEN: Readonly<Record<string, number>> = { publishing: 3, attaching: 0.3, putSession: 0.3, putSubscription: 0.3, putWill: 0.3 };

/** Whether a port throws now, where it serves the client. */
function fails(world: World, where: string): boolean {
  const often = OFTEN[where] ?? 1;
  return world.chance.happens("unlucky", where, world.faults.unlucky * often, () => `${where} fails for ${UNLUCKY}`);
}

/** To be called where something is done for the client of this name. @throws Error when chance will have it */
export function mayFail(world: World, where: string, client: string): void {
  if (client.startsWith(UNLUCKY) && fails(world, where)) throw new Error(INJECTED);
}

/** The same where a frame for its socket is gathered: in the midst of what a message is for others as well. */
const { send } = SocketWire.prototype;
SocketWire.prototype.send = function (bytes): void {
  (this.socket as Partial<Pick<SimulatedSocket, "gathering">>).gathering?.();
  send.call(this, bytes);
};

/** Rows of this client may be too large. */
export function unluckyStore<Store extends SessionStore | RoutingStore>(world: World, store: Store): Store {
  const mine = (row: unknown): boolean => {
    const { clientId, filter, topic } = row as { clientId?: string; filter?: string; topic?: string };
    return clientId === UNLUCKY || filter === TOPIC || topic === TOPIC;
  };
  return new Proxy(store, {
    get(target, name) {
      const value = Reflect.get(target, name) as unknown;
      if (typeof value !== "function") return value;
      return (...args: unknown[]): unknown => {
        const puts = name === "putSession" || name === "putSubscription" || name === "putWill" || name === "putRetained";
        if (puts && mine(args[0]) && fails(world, String(name))) {
          // That copy comes to nothing in its Topic object, and those behind it do not.
          if (name === "putRetained") world.refused(payloadOf(args[0] as RetainedRow));
          throw new RowTooLarge(INJECTED);
        }
        return (value as (...args: unknown[]) => unknown).apply(target, args);
      };
    },
  });
}

function payloadOf({ message }: RetainedRow): Uint8Array {
  const reader = new RecordReader(message);
  // The version of the row.
  reader.byte();
  return readStoredMessage(reader).payload;
}

/** The way to Topic objects may fail for its messages, and so may whoever waits for their outcome. */
export function unluckyRouter(world: World, router: Router): Router {
  return new Proxy(router, {
    get(target, name) {
      const value = Reflect.get(target, name) as unknown;
      if (typeof value !== "function") return value;
      if (name !== "publish") return value.bind(target) as unknown;
      return (...[message, ticket, owner]: Parameters<Router["publish"]>): void => {
        if (message.publisher !== UNLUCKY) target.publish(message, ticket, owner);
        else if (fails(world, "publishing")) {
          world.refused(message.payload);
          throw new Error(INJECTED);
        } else target.publish(message, ticket && unluckyTicket(world, ticket), owner);
      };
    },
  });
}

function unluckyTicket(world: World, ticket: Ticket): Ticket {
  return {
    settled(reasonCode) {
      ticket.settled(reasonCode);
      mayFail(world, "an outcome", UNLUCKY);
    },
  };
}

/** What the broker logs of a fault that was not made, or that is told of somebody else. */
export function strangeFault(line: string): string | undefined {
  const { event, doing, client, problem } = JSON.parse(line) as Record<string, string>;
  if (doing === undefined) return undefined;
  return problem === INJECTED && (client === undefined || client === UNLUCKY) ? undefined : `${event}: ${client}, ${doing}, ${problem}`;
}
