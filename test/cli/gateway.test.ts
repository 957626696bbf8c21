/** `durable-mqtt gateway` as its operator runs it. */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "node:tls";
import mqtt, { type IClientOptions } from "mqtt";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Broker, startBroker } from "../../scripts/local/local-broker.ts";
import { Authority } from "../gateway/certificates.ts";
import { readExposition } from "../support/exposition.ts";
import { callCommand, spawnCommand } from "./support.ts";

const GATEWAY_SECRET = "a secret that gateway and broker have";

const folder = mkdtempSync(join(tmpdir(), "durable-mqtt-gateway-"));
const authority = new Authority("everybody's");
let broker: Broker;

beforeAll(async () => {
  const ACL = JSON.stringify([{ permission: "allow", action: "all", topics: ["devices/${username}/#"] }]);
  broker = await startBroker({ env: { GATEWAY_SECRET, ACL } });
});
afterAll(async () => {
  await broker.dispose();
  rmSync(folder, { recursive: true, force: true });
});

function file(name: string, text: string): string {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
}

function server(): { readonly cert: string; readonly key: string } {
  const { cert, key } = authority.certify({ alternativeNames: [[2, "mqtt.example"]] });
  return { cert: file("server.pem", cert), key: file("server-key.pem", key) };
}

interface Running {
  readonly process: ReturnType<typeof spawnCommand>;
  /** Waits until it has said this. */
  said(pattern: RegExp): Promise<RegExpExecArray>;
  readonly exit: Promise<number | null>;
  output(): string;
}

function start(args: readonly string[], env: Readonly<Record<string, string>> = {}): Running {
  const child = spawnCommand(["gateway", "--to", broker.mqttUrl, ...args], env);
  let output = "";
  let look = (): void => {};
  for (const stream of [child.stdout!, child.stderr!]) {
    stream.on("data", (text) => {
      output += String(text);
      look();
    });
  }
  const exit = new Promise<number | null>((resolve) => child.once("close", resolve));
  return {
    process: child,
    exit,
    output: () => output,
    said: (pattern) =>
      new Promise((resolve, reject) => {
        look = () => {
          const match = pattern.exec(output);
          if (match !== null) resolve(match);
        };
        look();
        void exit.then(() => reject(new Error(`it ended without saying ${pattern}: ${output}`)));
      }),
  };
}

describe("durable-mqtt gateway", () => {
  it("lets clients in by TCP, and by TLS under the name of their certificate, tells what it counts, and ends in order", async () => {
    const { cert, key } = server();
    const ca = file("ca.pem", authority.cert);
    const tls = ["--tls", "0", "--cert", cert, "--key", key, "--ca", ca, "--user-from", "cert-cn"];
    const gateway = start(["--tcp", "0", ...tls, "--metrics", "0", "--verbose"], { GATEWAY_SECRET });
    const [, tcpUrl] = await gateway.said(/MQTT over TCP +(mqtt:\S+)/);
    const [, tlsUrl] = await gateway.said(/MQTT over TLS +mqtts:(\S+)/);
    const [, metrics] = await gateway.said(/metrics +(http:\S+)\/metrics/);
    await expect(
      mqtt.connectAsync(tcpUrl!, { reconnectPeriod: 0, username: "device-7", password: "secret-of-client" }, false),
    ).rejects.toMatchObject({ code: 4 });

    const { cert: own, key: ownKey } = authority.certify({ commonNames: ["device-7"] });
    const secure: IClientOptions = {
      ca: authority.cert,
      cert: own,
      key: ownKey,
      servername: "mqtt.example",
      protocolVersion: 5,
      reconnectPeriod: 0,
    } as IClientOptions;
    const client = await mqtt.connectAsync(`mqtts:${tlsUrl}`, secure, false);
    await client.publishAsync("devices/device-7/a", "1", { qos: 1 });
    const counted = await (await fetch(`${metrics}/metrics`)).text();
    expect(readExposition(counted).samples).toContainEqual({ metric: "durable_mqtt_gateway_open", labels: {}, value: 1 });
    expect((await fetch(`${metrics}/health`)).status).toBe(200);
    expect((await fetch(`${metrics}/other`)).status).toBe(404);

    const reasonCode = new Promise((resolve) => client.once("disconnect", (packet) => resolve(packet.reasonCode)));
    gateway.process.kill("SIGTERM");
    expect([await reasonCode, await gateway.exit]).toEqual([0x8b, 0]);
    expect(gateway.output()).toMatch(/ connected address=127\.0\.0\.1 client=\S+ user=device-7\n/);
    expect(gateway.output()).not.toMatch(/secret/);
  });

  it("reads certificates anew on SIGHUP", async () => {
    const { cert, key } = server();
    const gateway = start(["--tls", "0", "--cert", cert, "--key", key, "--json"]);
    const [, port] = await gateway.said(/"tls":(\d+)/);
    const serial = (): Promise<string> =>
      new Promise((resolve, reject) => {
        const socket = connect({ port: Number(port), host: "127.0.0.1", ca: authority.cert, servername: "mqtt.example" }, () => {
          resolve(socket.getPeerCertificate().serialNumber);
          socket.destroy();
        });
        socket.on("error", reject);
      });
    const before = await serial();
    server();
    gateway.process.kill("SIGHUP");
    const [line] = await gateway.said(/^\{.*certificates were read anew.*\}$/m);
    expect(JSON.parse(line)).toMatchObject({ kind: "notice", time: expect.stringMatching(/^\d{4}-.*Z$/) });
    expect(await serial()).not.toBe(before);
    gateway.process.kill("SIGINT");
    expect(await gateway.exit).toBe(0);
  });

  it("says so where there may be fewer open files than connections", async () => {
    const gateway = start(["--tcp", "0", "--connections", "1000000"]);
    await gateway.said(/open files are limited: there is room for \d+ connections instead of 1000000 \(ulimit -n\)|Ctrl-C/);
    gateway.process.kill("SIGTERM");
    expect(await gateway.exit).toBe(0);
  });

  const TO = ["--to", "ws://127.0.0.1:1/mqtt"];
  const PAIR = ["--cert", "c.pem", "--key", "k.pem"];
  it.each([
    [[], {}, /^Required option '--to <url>' not specified\./],
    [["--to", "mqtt://x"], {}, /^--to must be wss:\/\/HOST\/mqtt or ws:\/\/HOST:PORT\/mqtt\./],
    [["--to", "wss://a:b@x/mqtt"], {}, /^--to must be a URL without a user/],
    [[...TO, "--tls"], {}, /^--tls needs a --cert and a --key for each certificate\./],
    [[...TO, ...PAIR, "--cert", "d.pem"], {}, /^--tls needs a --cert and a --key for each certificate\./],
    [[...TO, "--ca", "ca.pem"], {}, /^--ca and --user-from need --tls/],
    [[...TO, ...PAIR, "--user-from", "cert-cn"], { GATEWAY_SECRET }, /need --ca\./],
    [[...TO, ...PAIR, "--ca", "ca.pem", "--user-from", "cert-cn"], {}, /^--user-from needs GATEWAY_SECRET in the environment/],
    [[...TO, ...PAIR, "--ca", "ca.pem", "--user-from", "cert"], { GATEWAY_SECRET }, /Allowed choices are cert-cn, cert-san\./],
    [["--to", "ws://broker.example/mqtt"], { GATEWAY_SECRET }, /^With GATEWAY_SECRET --to must be wss:\/\//],
    [[...TO, "--proxy-from", "everybody"], {}, /^--proxy-from must be an address or a network such as 10\.0\.0\.0\/8, not "everybody"\./],
    [[...TO, "--tcp", "70000"], {}, /Expected a port from 0 to 65535/],
  ] as const)("says what was expected, and ends with 2: %j", async (args, env, sentence) => {
    const { code, stderr } = await callCommand(["gateway", ...args], env);
    expect(code).toBe(2);
    expect(stderr).toMatch(/^durable-mqtt: [^\n]+ Try: npm run command -- gateway --help\n$/);
    expect(stderr.slice("durable-mqtt: ".length)).toMatch(sentence);
  });

  it.each([
    [["--tls", "0", ...PAIR], {}, /^c\.pem can't be read \(ENOENT\)\.$/],
    [["--tcp", "0", "--host", "192.0.2.1"], {}, /^192\.0\.2\.1 is not an address of this machine\.$/],
    [["--tcp", "0"], { GATEWAY_SECRET: "short" }, /^GATEWAY_SECRET must be a secret of 32 bytes or more/],
  ] as const)("says why it can't begin, and ends with 1: %j", async (args, env, sentence) => {
    const { code, stderr } = await callCommand(["gateway", ...TO, ...args], env);
    expect(code).toBe(1);
    expect(stderr.trimEnd().slice("durable-mqtt: ".length)).toMatch(sentence);
  });

  it("names a port that is in use", async () => {
    const first = start(["--tcp", "0"]);
    const [, port] = await first.said(/mqtt:\/\/127\.0\.0\.1:(\d+)/);
    const { code, stderr } = await callCommand(["gateway", ...TO, "--tcp", port!]);
    expect([code, stderr]).toEqual([1, `durable-mqtt: Port ${port} on 127.0.0.1 is in use; choose another one.\n`]);
    first.process.kill("SIGTERM");
    await first.exit;
  });
});
