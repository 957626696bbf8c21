/** The short form of `npm run chaos`: see chaos.ts for what is done and checked. */

import { expect, test } from "vitest";
import { runChaos } from "./chaos.ts";

test.for(["compact", "sharded"] as const)(
  "%s: nothing acknowledged is lost and no QoS 2 message repeats while the runtime is killed three times",
  { timeout: 180_000 },
  async (topology) => {
    const { problems, acknowledged } = await runChaos({ topology, kills: 3, seconds: 6 });
    expect(problems).toEqual([]);
    expect(Math.min(acknowledged[1], acknowledged[2])).toBeGreaterThan(100);
  },
);

test("nothing acknowledged is lost and no QoS 2 message repeats while the broker goes from 2 + 2 objects to 5 + 5 and some for topics alone, and back", {
  timeout: 180_000,
}, async () => {
  const shapes = ["2+2", "5+5+chaos/4/left/2+chaos/5/right/1", "2+2"];
  const { problems, acknowledged } = await runChaos({ topology: "sharded", kills: 1, seconds: 3, shapes });
  expect(problems).toEqual([]);
  expect(Math.min(acknowledged[1], acknowledged[2])).toBeGreaterThan(100);
});
