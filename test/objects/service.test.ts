/** Subscriptions of other Workers while objects sleep and are reset: what they are told then, and with which rights. */

import { exports } from "cloudflare:workers";
import { afterEach, describe, expect, it } from "vitest";
import type { MqttService } from "../../src/service/contract.ts";
import { crash, dropClients, evict, names, places } from "./support.ts";

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
