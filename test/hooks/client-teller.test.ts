/** What hooks are told of clients and that waits: in memory it is counted and bounded, and all of it is counted out again. */

import { expect, test, vi } from "vitest";
import { HOOK_NEWS_BYTES_MAX, HOOK_NEWS_BYTES_PER_CLIENT_MAX } from "../../src/code-limits.ts";
import type { BrokerHooks } from "../../src/hooks/contract.ts";
import { type HookFault, HookFaults } from "../../src/hooks/hook-faults.ts";
import { ClientTeller } from "../../src/objects/client-teller.ts";
import { PLATFORM } from "../../src/runtime.ts";
import { NOBODY } from "../../src/session/ports.ts";

function teller(hooks: BrokerHooks) {
  const faults: HookFault[] = [];
  let bytes = 0;
  const client = new ClientTeller({
    hooks,
    context: { env: {}, namespace: "n", publish: async () => {} },
    faults: new HookFaults(PLATFORM, (fault) => faults.push(fault)),
    runtime: PLATFORM,
    count: (more) => {
      bytes += more;
    },
  });
  return { client, faults, bytes: () => bytes };
}

test("long filters behind a hook that takes its time: so much of one client waits, and of all; the rest is logged, and nothing stays counted", async () => {
  let give!: () => void;
  const first = new Promise<void>((resolve) => {
    give = resolve;
  });
  let told = 0;
  const { client, faults, bytes } = teller({
    onConnect: ({ clientId }) => (clientId === "quick" ? undefined : first),
    onUnsubscribe: (_client, filters) => {
      told += filters.length;
    },
  });
  const filter = "x".repeat(20_000);
  const comes = (clientId: string): void => {
    client.connected(NOBODY, clientId, { version: 5, clean: true, sessionPresent: false, keepAliveSeconds: 0, sessionExpirySeconds: 0 });
    for (let count = 0; count < 100; count += 1) client.unsubscribed(NOBODY, clientId, `${filter}${count}`);
  };
  comes("c");
  expect(bytes()).toBeLessThanOrEqual(HOOK_NEWS_BYTES_PER_CLIENT_MAX);
  expect(bytes()).toBeGreaterThan(HOOK_NEWS_BYTES_PER_CLIENT_MAX / 2);
  expect(faults).toEqual([{ hook: "onUnsubscribe", client: "c", problem: expect.stringContaining("too much waits"), others: 0 }]);
  // Others are told meanwhile.
  comes("quick");
  await vi.waitFor(() => expect(told).toBeGreaterThan(2));
  for (let count = 0; count < 100; count += 1) comes(`c${count}`);
  expect(bytes()).toBeLessThanOrEqual(HOOK_NEWS_BYTES_MAX);
  expect(bytes()).toBeGreaterThan(HOOK_NEWS_BYTES_MAX / 2);
  give();
  await vi.waitFor(() => expect(bytes()).toBe(0));
  expect(told).toBeGreaterThan(20);
});
