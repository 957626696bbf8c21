/** Identity providers that are away, slow, or lie, over real sockets: nobody is let in by their keys, and clients are told to come again. */

import { afterAll, expect, test } from "vitest";
import type { ProtocolVersion } from "../../src/mqtt/packet.ts";
import { describeTopologies } from "../support/brokers.ts";
import { startProvider } from "../support/identity-provider.ts";
import { show, waysOf } from "../support/token-clients.ts";
import { jwkOf, SECRET, signed, tokenKeys } from "../support/tokens.ts";

const KEYS = tokenKeys("P-256");
const TOKEN = signed({ sub: "ada" }, KEYS.privateKey, { algorithm: "ES256", keyid: "a" });
const SET = JSON.stringify({ keys: [jwkOf(KEYS, "a")] });

const away = await startProvider();
away.close();
const slow = await startProvider();
slow.instead = (_request, response) => response.write(SET.slice(0, -1));
const lying = await startProvider();
lying.instead = (_request, response) => response.writeHead(200).end(`<html>${SET}`);
afterAll(() => {
  for (const each of [slow, lying]) each.close();
});

for (const [what, { url }] of [
  ["is away", away],
  ["is slow", slow],
  ["lies", lying],
] as const) {
  describeTopologies(
    (broker) => {
      test(`a provider that ${what}: 0x88, or return code 3; other keys are as good as ever`, async () => {
        for (const version of [4, 5] satisfies ProtocolVersion[]) {
          for (const way of waysOf(version)) {
            const { client, connack } = await show(broker, TOKEN, way, { version });
            expect([way, connack.reasonCode]).toEqual([way, version === 5 ? 0x88 : 3]);
            await client.closed;
          }
          const { client, connack } = await show(broker, signed({ sub: "ada" }), "password", { version });
          expect(connack.reasonCode).toBe(0);
          client.terminate();
        }
      });
    },
    { ALLOW_ANONYMOUS: "false", JWT_SECRET: SECRET, JWT_JWKS_URLS: url, JWT_FROM: "password,username,url" },
    { shapes: ["compact", "sharded", "handed over"] },
  );
}
