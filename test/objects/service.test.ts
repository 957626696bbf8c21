/** Subscriptions of other Workers while objects sleep and are reset: what they are told then, and with which rights. */

import { exports } from "cloudflare:workers";
import { afterEach, describe, expect, it } from "vitest";
import { PUBLISHERS } from "../../src/code-limits.ts";
import { PUBACK, PUBLISH } from "../../src/mqtt/packet.ts";
import type { MqttService, ServicePublishOptions } from "../../src/service/contract.ts";
import { hash } from "../../src/topic/hash.ts";
import { compact, connect, crash, dropClients, durable, evict, names, places, sessionObject, settings, usage } from "./support.ts";

// What a binding to the entrypoint would give.
const service = (exports as unknown as { readonly MqttService: Service<MqttService> }).MqttService;
const { topic } = names(places.at(-1)!);

afterEach(dropClients);

async function nextText(subscription: Awaited<ReturnType<typeof service.subscribe>>): Promise<string> {
  const { value } = await subscription.next();
  return new TextDecoder().decode(value!.payload);
}

describe("a subscription of another Worker", () => {
  it.each([0, 1, 2] as const)("goes on when objects have slept, with its rights, at QoS %i", async (qos) => {
    const place = `${topic}/${qos}`;
    const subscription = await service.subscribe([`${place}/+`], { qos });
    await evict("all objects");
    await service.publish(`${place}/a`, "first", { qos });
    expect(await nextText(subscription)).toBe("first");
    await evict("all objects");
    await service.publish(`${place}/b`, "second", { qos });
    expect(await nextText(subscription)).toBe("second");
    await subscription.return();
  });

  it("goes on when its object was reset: what was published meanwhile comes", async () => {
    const place = `${topic}/reset`;
    const subscription = await service.subscribe(place, { qos: 1 });
    await service.publish(place, "before", { qos: 1 });
    expect(await nextText(subscription)).toBe("before");
    await crash("all objects");
    await service.publish(place, "meanwhile", { qos: 1 });
    let came = await nextText(subscription);
    // It was not acknowledged, and may come again.
    if (came === "before") came = await nextText(subscription);
    expect(came).toBe("meanwhile");
    await subscription.return();
  });
});

describe("a receipt that waits for acknowledgements", () => {
  const wait = { qos: 1, wait: "acknowledged", timeoutMs: 30_000 } as const;

  it("comes when the last has acknowledged, wherever publisher and subscribers are", async () => {
    const place = `${topic}/all`;
    const clients = await Promise.all(["a", "b", "c"].map((name) => connect(`${place}-${name}`.replaceAll("/", "-"), { version: 5 })));
    for (const client of clients) await client.subscribe(place, 1);
    const receipt = service.publish(place, "x", wait);
    for (const client of clients) client.acknowledge(PUBACK, (await client.expect(PUBLISH)).packetId);
    expect(await receipt).toMatchObject({ reasonCode: 0, sessions: 3, away: 0, acknowledged: 3, pending: 0 });
  });

  it("an object that is reset has lost its clients, and what it knew of them: its time is waited for", async () => {
    const clientId = `${topic}-reset`.replaceAll("/", "-");
    const object = sessionObject(clientId);
    const client = await connect(clientId, { ...durable(5), version: 5 });
    // Where there is but one object it is its own publisher, whose call fails then.
    const isPublisher = (place: string): boolean => sessionObject(`service-${hash(place) % PUBLISHERS}`) === object;
    let place = `${topic}/reset`;
    while (!compact && isPublisher(place)) place += "/x";
    await client.subscribe(place, 1);
    const published = service.publish(place, "x", { ...wait, timeoutMs: 1000 });
    const outcome = published.catch((error: unknown) => error);
    await client.expect(PUBLISH);
    await crash(object);
    if (compact) expect(await outcome).toBeInstanceOf(Error);
    else expect(await outcome).toMatchObject({ sessions: 1, away: 0, acknowledged: 0, pending: 1 });
    expect(await service.publish(place, "y", wait)).toMatchObject({ sessions: 1, away: 1, acknowledged: 0, pending: 0 });
  });

  it("costs a call for each other object that has to tell of acknowledgements; one that waits for nothing more costs none", async () => {
    const clientId = `${topic}-cost`.replaceAll("/", "-");
    const publisherOf = (place: string): string => sessionObject(`service-${hash(place) % PUBLISHERS}`);
    let place = `${topic}/cost`;
    while (!compact && publisherOf(place) === sessionObject(clientId)) place += "/x";
    const client = await connect(clientId, { version: 5 });
    await client.subscribe(place, 1);
    const callsOf = async (options: ServicePublishOptions): Promise<number> => {
      const before = await usage(publisherOf(place));
      const receipt = service.publish(place, "x", options);
      client.acknowledge(PUBACK, (await client.expect(PUBLISH)).packetId);
      await receipt;
      return (await usage(publisherOf(place))).calls - before.calls;
    };
    expect(await callsOf({ qos: 1 })).toBe(1);
    expect(await callsOf(wait)).toBe(compact ? 1 : 2);
  });
});

it("where every client has an object of its own and there is no directory, who asks for clients is told what to do", async () => {
  const asked = service.clients().then(
    ({ clients }) => clients,
    (error: unknown) => error,
  );
  if (settings.topology === "compact" || settings.sessionShards > 0) expect(await asked).toBeInstanceOf(Array);
  else expect(await asked).toMatchObject({ name: "TypeError", message: expect.stringContaining("set ADMIN_TOKEN and bind DIRECTORY") });
});

describe("events", () => {
  const { publisherId, subscriberId } = names(places.at(-1)!);

  it("are told by objects that have slept, of those that sleep, and after all have been reset", async () => {
    const subscription = await service.subscribe(["$events/client/+"], { qos: 1 });
    const next = async (clientId: string): Promise<string> => {
      for (;;) {
        const { value } = await subscription.next();
        const { clientid, reason } = JSON.parse(new TextDecoder().decode(value!.payload)) as { clientid: string; reason?: string };
        if (clientid === clientId) return reason ?? value!.topic;
      }
    };
    const first = await connect(publisherId);
    // Where each client has an object of its own, that hears of it with this.
    await first.subscribe("a/+", 0);
    expect(await next(publisherId)).toBe("$events/client/connected");
    await evict("all objects");
    await first.drop();
    expect(await next(publisherId)).toBe("socket_closed");
    await crash("all objects");
    // Of another client: what was not acknowledged comes again.
    const second = await connect(subscriberId);
    await second.subscribe("a/+", 0);
    expect(await next(subscriberId)).toBe("$events/client/connected");
    await second.drop();
    expect(await next(subscriberId)).toBe("socket_closed");
    await subscription.return();
  });
});
