/** Hooks in an object that has slept: a socket that stayed is asked about as before, and one that closed meanwhile is told of. */

import { describe, expect, test, vi } from "vitest";
import type { BrokerHooks } from "../../src/hooks/contract.ts";
import { decodePacket } from "../../src/mqtt/decode.ts";
import { encodePacket } from "../../src/mqtt/encode.ts";
import { type Packet, PUBACK } from "../../src/mqtt/packet.ts";
import { LocalRouter } from "../../src/objects/local-router.ts";
import { Meter } from "../../src/objects/meter.ts";
import { SessionHost } from "../../src/objects/session-host.ts";
import { PLATFORM } from "../../src/runtime.ts";
import { NOBODY } from "../../src/session/ports.ts";
import { parseSettings, type Settings } from "../../src/settings.ts";
import { MemoryRoutingStore } from "../../src/storage/memory-routing-store.ts";
import { MemorySessionStore } from "../../src/storage/memory-session-store.ts";
import { connectPacket, publishPacket } from "../support/mqtt-client.ts";

/** An object with its rows and sockets, which loses its memory and keeps both. */
class Sleeper {
  readonly told: string[] = [];
  readonly came: Packet[] = [];
  readonly #meter = new Meter();
  readonly #store = new MemorySessionStore(this.#meter);
  #attachment: unknown;
  readonly socket = {
    readyState: 1,
    send: (bytes: Uint8Array) => void this.came.push(decodePacket(bytes.slice(), 5) as Packet),
    close: () => {},
    serializeAttachment: (attachment: unknown) => {
      this.#attachment = attachment;
    },
    deserializeAttachment: () => this.#attachment,
  } as unknown as WebSocket;
  host = this.#wake([]);

  #wake(sockets: WebSocket[]): SessionHost {
    const settings = parseSettings({ TOPOLOGY: "compact", ALLOW_ANONYMOUS: "true" }) as Settings;
    const hooks: BrokerHooks = {
      onConnect: ({ clientId }) => void this.told.push(`${clientId} is here`),
      onDisconnect: ({ clientId }, { reasonCode }) => void this.told.push(`${clientId} is gone: ${reasonCode}`),
      onPublish: async ({ topic }) => {
        this.told.push(`asked about ${topic}`);
        return { refuse: 0x97 };
      },
    };
    let local: LocalRouter | undefined;
    const host: SessionHost = new SessionHost({
      state: {
        storage: { getAlarm: async () => null, setAlarm: async () => {} },
        getWebSockets: () => sockets,
        abort: () => {},
        acceptWebSocket: () => {},
      },
      store: this.#store,
      settings,
      name: "n/broker",
      meter: this.#meter,
      runtime: PLATFORM,
      code: { hooks, consumers: [], env: {} },
      peers: () => {
        throw new Error("there are no others");
      },
      router: (machine, ledger) => {
        local = new LocalRouter(settings, "n/broker", new MemoryRoutingStore(this.#meter), PLATFORM, ledger, machine, () => host.flush());
        return local;
      },
    });
    local!.restore(host.core);
    return host;
  }

  async connect(sessionExpiryInterval: number): Promise<void> {
    this.host.adopt(this.socket, { relayed: true, admission: NOBODY });
    this.send(connectPacket({ version: 5, clientId: "c1", properties: { sessionExpiryInterval } }));
    await vi.waitFor(() => expect(this.came.length).toBe(1));
  }

  send(packet: Packet): void {
    this.host.receive(this.socket, encodePacket(packet, 5).slice().buffer as ArrayBuffer);
  }

  /** It has slept. @param isOpen whether its socket is still there */
  sleep(isOpen: boolean): void {
    this.host = this.#wake(isOpen ? [this.socket] : []);
  }
}

describe.each([0, 100])("of a session that is kept %i s", (seconds) => {
  test("what comes over a socket that stayed is asked about, and nobody is told again that its client is here", async () => {
    const object = new Sleeper();
    await object.connect(seconds);
    object.sleep(true);
    object.send(publishPacket("a", "x", { qos: 1, packetId: 3 }));
    await vi.waitFor(() => expect(object.came.at(-1)).toMatchObject({ type: PUBACK, packetId: 3, reasonCode: 0x97 }));
    object.host.lost(object.socket);
    await vi.waitFor(() => expect(object.told).toEqual(["c1 is here", "asked about a", "c1 is gone: undefined"]));
  });

  test("a socket that was closed meanwhile: its client is gone", async () => {
    const object = new Sleeper();
    await object.connect(seconds);
    object.sleep(false);
    object.host.lost(object.socket);
    await vi.waitFor(() => expect(object.told).toEqual(["c1 is here", "c1 is gone: undefined"]));
  });
});
