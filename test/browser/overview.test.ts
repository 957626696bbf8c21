/** The console's overview in a real browser: figures, curves and the bill of a broker that has something to do. */

import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { type Broker, startBroker } from "../../scripts/local/local-broker.ts";
import { PHONE, type VisitOptions, type Visitor, Visits } from "../support/console.ts";
import { isLong } from "../support/long.ts";
import { unique } from "../support/mqtt-client.ts";
import { mqttJs } from "../support/real-clients.ts";

const ADMIN_TOKEN = "a-token-for-the-tests-of-the-console";

const visits = new Visits();
afterAll(() => visits.dispose());

describe.each(isLong ? ["compact", "sharded"] : ["sharded"])("%s", (topology) => {
  let broker: Broker;

  beforeAll(async () => {
    broker = await startBroker({
      env: { TOPOLOGY: topology, ALLOW_ANONYMOUS: "true", NAMESPACES: "default", ADMIN_TOKEN, MONITOR: "true" },
    });
  });
  afterAll(() => broker.dispose());
  afterEach(() => visits.end());

  /** Objects have written down what they did, some seconds after it. */
  const billed = async (): Promise<boolean> => {
    const response = await fetch(`${broker.url}/api/v5/usage`, { headers: { Authorization: `Bearer ${ADMIN_TOKEN}` } });
    return ((await response.json()) as unknown[]).length > 0;
  };

  const visit = async (options?: VisitOptions): Promise<Visitor> => {
    const visitor = await visits.begin(broker.url, options);
    await visitor.go("Overview");
    return visitor;
  };

  it("asks for a token, and then shows what there is, what comes, and what it costs", { timeout: 60_000 }, async () => {
    const visitor = await visit();
    await visitor.page.getByText(/This needs a token with the scope/).waitFor();
    await visitor.signIn({ token: ADMIN_TOKEN });
    const tile = (name: string) => visitor.page.locator(".tiles div").filter({ hasText: name }).locator("dd");
    await tile("Objects up")
      .filter({ hasText: topology === "compact" ? "1 of 1" : "8 of 8" })
      .waitFor();

    const other = await mqttJs(5).connect(broker.mqttUrl);
    const topic = unique();
    await other.subscribe(topic, 1);
    await other.publish(topic, "kept", 1, true);
    await tile("Connections").filter({ hasText: "3" }).waitFor();
    await tile("Retained").filter({ hasText: "1" }).waitFor();

    await visitor.button("Minute").click();
    const plot = visitor.page.getByRole("img", { name: /^Messages a second: in .*, out .*, dropped 0\/s$/ });
    await plot.locator("canvas").waitFor();
    await visitor.page
      .getByRole("img", { name: /^What is billed, a second: requests .*, rows written/ })
      .locator("canvas")
      .waitFor();
    await visitor.button("Day").click();
    await visitor.page
      .getByRole("img", { name: /^How many: connections/ })
      .locator("canvas")
      .waitFor();

    await vi.waitUntil(billed, { timeout: 20_000, interval: 500 });
    await visitor.go("Messages");
    await visitor.go("Overview");
    const bill = visitor.page.getByRole("region", { name: "What it costs" });
    await bill.getByText(/beyond the plan/).waitFor();
    expect(await bill.getByRole("row").filter({ hasText: "Requests" }).textContent()).toMatch(/^Requests[1-9].*1M\$0\.15\$0\.00$/);
    await visitor.page.getByText("None, since the objects woke.").waitFor();
    await other.disconnect();
  });

  it("keeps nobody out, on a phone too, in light and in the dark", async () => {
    const visitor = await visit({ viewport: PHONE });
    await visitor.signIn({ token: ADMIN_TOKEN });
    await visitor.page.getByRole("table").last().waitFor();
    expect(await visitor.barriers()).toEqual([]);
    expect(await visitor.fits()).toBe(true);
  });
});
