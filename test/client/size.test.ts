/** How much the client weighs where it is downloaded, beside MQTT.js built the same way. */

import { brotliCompressSync, gzipSync } from "node:zlib";
import { build } from "esbuild";
import { expect, it } from "vitest";
import { bundleClient, ROOT } from "../../scripts/build/bundle.ts";

const KIB = 1024;

it("the client has less than 15 KiB with brotli, 17 with gzip; MQTT.js several times that", async () => {
  const client = await bundleClient();
  const options = {
    bundle: true,
    minify: true,
    write: false,
    format: "esm",
    target: "es2022",
    platform: "browser",
    logLevel: "silent",
  } as const;
  const stdin = { contents: 'export { default } from "mqtt"', resolveDir: ROOT };
  const { outputFiles } = await build({ ...options, stdin, define: { global: "globalThis" } });
  const other = outputFiles[0]!.text;
  for (const [name, compress, bytesMax] of [
    ["brotli", brotliCompressSync, 15 * KIB],
    ["gzip", gzipSync, 17 * KIB],
  ] as const) {
    const sizes = { client: compress(client).length, mqttJs: compress(other).length };
    console.log(name, sizes);
    expect(sizes.client, name).toBeLessThan(bytesMax);
    expect(sizes.mqttJs, name).toBeGreaterThan(4 * sizes.client);
  }
});

it("it needs nothing of its platform when it is loaded, and names no clause of the specification", async () => {
  const client = await bundleClient();
  expect(client).not.toMatch(/MQTT5-|MQTT311-|\bimport\b|\brequire\(/);
  const { connect } = (await import(`data:text/javascript,${encodeURIComponent(client)}`)) as typeof import("../../src/client/index.ts");
  await expect(connect("tcp://host")).rejects.toMatchObject({
    kind: "invalid",
    message: "URL of the server: expected wss:// or ws://",
  });
});
