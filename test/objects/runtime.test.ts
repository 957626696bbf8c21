import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, it } from "vitest";

it("runs inside workerd: objects have SQLite and forget their memory when they are evicted", async () => {
  const stub = env.SESSIONS.get(env.SESSIONS.idFromName("runtime-test"));
  await runInDurableObject(stub, (instance, state) => {
    Object.assign(instance, { mark: "in memory" });
    state.storage.sql.exec("CREATE TABLE runtime_test (value TEXT); INSERT INTO runtime_test VALUES ('kept')");
  });
  await evictDurableObject(stub);
  await runInDurableObject(stub, (instance, state) => {
    expect(instance).not.toHaveProperty("mark");
    expect(state.storage.sql.exec("SELECT value FROM runtime_test").one()).toEqual({ value: "kept" });
  });
});
