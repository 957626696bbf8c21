/** A Session object in this process, with hooks and consumers of a Worker's code, and its sockets. It can lose its memory and keep them. */

import { vi } from "vitest";
import type { ConsumerOptions } from "../../src/hooks/consumer-options.ts";
import type { BrokerHooks } from "../../src/hooks/contract.ts";
import { decodePacket } from "../../src/mqtt/decode.ts";
import { encodePacket } from "../../src/mqtt/encode.ts";
import type { Connect, Packet } from "../../src/mqtt/packet.ts";
import { PacketStream } from "../../src/mqtt/packet-stream.ts";
import { LocalRouter } from "../../src/objects/local-router.ts";
import { Meter } from "../../src/objects/meter.ts";
import { SessionHost } from "../../src/objects/session-host.ts";
import { PLATFORM } from "../../src/runtime.ts";
import { NOBODY } from "../../src/session/ports.ts";
import { parseSettings, type Settings } from "../../src/settings.ts";
import { MemoryRoutingStore } from "../../src/storage/memory-routing-store.ts";
import { MemorySessionStore } from "../../src/storage/memory-session-store.ts";
import { connectPacket } from "./mqtt-client.ts";

/** A socket with what came over it. */
export class HookedSocket {
  readonly came: Packet[] = [];
  readonly #object: HookedObject;
  #attachment: unknown;
  readonly socket = {
    readyState: 1,
    send: (frame: Uint8Array) => this.#receive(frame.slice()),
    close: () => {},
    serializeAttachment: (attachment: unknown) => {
      this.#attachment = attachment;
    },
    deserializeAttachment: () => this.#attachment,
  } as unknown as WebSocket;

  constructor(object: HookedObject) {
    this.#object = object;
  }

  #receive(frame: Uint8Array): void {
    const stream = new PacketStream(frame.length);
    stream.push(frame, 0);
    for (let bytes = stream.next(); bytes instanceof Uint8Array; bytes = stream.next()) this.came.push(decodePacket(bytes, 5) as Packet);
  }

  send(packet: Packet): void {
    this.#object.host.receive(this.socket, encodePacket(packet, 5).slice().buffer as ArrayBuffer);
  }

  lose(): void {
    this.#object.host.lost(this.socket);
  }
}

export class HookedObject {
  readonly #meter = new Meter();
  readonly #store = new MemorySessionStore(this.#meter);
  readonly #hooks: BrokerHooks;
  readonly #consumers: readonly ConsumerOptions[];
  #alarm: NodeJS.Timeout | undefined;
  host: SessionHost;

  constructor(hooks: BrokerHooks, consumers: readonly ConsumerOptions[] = []) {
    this.#hooks = hooks;
    this.#consumers = consumers;
    this.host = this.#wake([]);
  }

  #wakeAt(at: number): void {
    clearTimeout(this.#alarm);
    this.#alarm = setTimeout(() => void this.host.alarm(), Math.max(0, at - PLATFORM.now())).unref();
  }

  #wake(sockets: WebSocket[]): SessionHost {
    const settings = parseSettings({ TOPOLOGY: "compact", ALLOW_ANONYMOUS: "true" }) as Settings;
    let local: LocalRouter | undefined;
    const host: SessionHost = new SessionHost({
      state: {
        storage: { getAlarm: async () => null, setAlarm: async (at) => this.#wakeAt(at) },
        getWebSockets: () => sockets,
        abort: () => {},
        acceptWebSocket: () => {},
      },
      store: this.#store,
      settings,
      name: "n/broker",
      meter: this.#meter,
      runtime: PLATFORM,
      code: { hooks: this.#hooks, consumers: this.#consumers, env: {} },
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

  async connect(connect: Partial<Connect> & { readonly clientId: string }): Promise<HookedSocket> {
    const client = new HookedSocket(this);
    this.host.adopt(client.socket, { relayed: true, admission: NOBODY });
    client.send(connectPacket({ version: 5, ...connect }));
    await vi.waitFor(() => {
      if (client.came.length === 0) throw new Error("no CONNACK");
    });
    return client;
  }

  /** It loses its memory. @param open sockets that are still there */
  sleep(open: readonly HookedSocket[]): void {
    this.host = this.#wake(open.map(({ socket }) => socket));
  }
}
