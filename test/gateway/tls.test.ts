/** TLS at the gateway: certificates by name, read anew while it runs, and client certificates that name users. */

import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ConnectionOptions, connect, type TLSSocket } from "node:tls";
import { afterAll, describe, expect, it } from "vitest";
import { type CertificateFiles, Certificates } from "../../src/gateway/certificates.ts";
import type { GatewayOptions } from "../../src/gateway/gateway.ts";
import { CONNECT_MS } from "../../src/gateway/limits.ts";
import type { TlsOptions } from "../../src/gateway/listener.ts";
import { Proxies } from "../../src/gateway/proxies.ts";
import { decodePacket } from "../../src/mqtt/decode.ts";
import { Authority, type Certificate, type Certified } from "./certificates.ts";
import { proxyV2 } from "./proxy-v2.ts";
import { type Arrived, afterwards, CONNACK_V5, CONNECT_BYTES, gatewayAlone, readAll, type Setting, settled, tcp } from "./support.ts";

const folder = mkdtempSync(join(tmpdir(), "durable-mqtt-tls-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let files = 0;
function file(contents: string): string {
  files += 1;
  const path = join(folder, `${files}.pem`);
  writeFileSync(path, contents);
  return path;
}

const servers = new Authority("servers");
const devices = new Authority("devices");
const strangers = new Authority("strangers");

function pairOf({ cert, key }: Certificate): { cert: string; key: string } {
  return { cert: file(cert), key: file(key) };
}

const forHost = (...hosts: string[]): Certificate => servers.certify({ alternativeNames: hosts.map((host) => [2, host] as const) });

const SERVER = pairOf(forHost("mqtt.example"));

async function withTls(
  certificates: Partial<CertificateFiles> = {},
  tls: Partial<TlsOptions> = {},
  options: Partial<GatewayOptions> & { proxies?: Proxies } = {},
): Promise<Setting> {
  const { proxies, ...rest } = options;
  const listener = {
    host: "127.0.0.1",
    port: 0,
    proxies,
    tls: { certificates: new Certificates({ pairs: [SERVER], ...certificates }), ...tls },
  };
  return gatewayAlone(
    { listeners: [listener], ...rest },
    { headersOf: ({ address, userName = "-" }) => ({ "X-Client": `${address} ${encodeURIComponent(userName)}` }) },
  );
}

async function secure(port: number, options: ConnectionOptions = {}): Promise<TLSSocket> {
  const socket = connect({ port, host: "127.0.0.1", ca: servers.cert, servername: "mqtt.example", ...options });
  afterwards(() => socket.destroy());
  await once(socket, "secureConnect");
  socket.on("error", () => {});
  return socket;
}

/** @returns what the broker is told of a client that shows this certificate, or the Reason Code that the client hears */
async function admitted(
  { broker, port }: Setting,
  shown: Certificate | undefined,
  options: ConnectionOptions = {},
): Promise<string | number> {
  const arriving = broker.next();
  const client = await secure(port, { ...(shown === undefined ? {} : { cert: shown.cert, key: shown.key }), ...options });
  client.write(CONNECT_BYTES);
  const refused = readAll(client).then((bytes) => (decodePacket(bytes, 5) as { reasonCode: number }).reasonCode);
  const answer = await Promise.race([arriving, refused]);
  return typeof answer === "number" ? answer : String((answer as Arrived).request.headers["x-client"]);
}

describe("TLS", () => {
  it("passes bytes on as without it, and ends in order", async () => {
    const { broker, port } = await withTls();
    const arriving = broker.next();
    const client = await secure(port);
    client.write(CONNECT_BYTES);
    const { socket, frames, request } = await arriving;
    if (frames.length === 0) await once(socket, "message");
    expect([frames, request.headers["x-client"]]).toEqual([[CONNECT_BYTES], "127.0.0.1 -"]);
    socket.send(CONNACK_V5);
    socket.close(1000);
    expect(await readAll(client)).toEqual(CONNACK_V5);
  });

  it("cuts who speaks something else, and the others go on", async () => {
    const setting = await withTls();
    const plain = tcp(setting.port);
    plain.write(CONNECT_BYTES);
    await readAll(plain);
    await expect.poll(() => setting.gateway.metrics.counted("tls")).toBe(1);
    expect(await admitted(setting, undefined)).toBe("127.0.0.1 -");
  });

  it("shows the certificate of the name that a client asks for, and the first one where there is none for it", async () => {
    const wild = pairOf(forHost("*.tenants.example", "other.example"));
    const { port } = await withTls({ pairs: [SERVER, wild] });
    const namesAt = async (servername: string): Promise<string | undefined> =>
      (await secure(port, { servername, checkServerIdentity: () => undefined })).getPeerCertificate().subjectaltname;
    expect(await namesAt("mqtt.example")).toBe("DNS:mqtt.example");
    expect(await namesAt("acme.tenants.example")).toContain("tenants.example");
    expect(await namesAt("OTHER.example")).toContain("other.example");
    expect(await namesAt("nobody.example")).toBe("DNS:mqtt.example");
    expect(await namesAt("")).toBe("DNS:mqtt.example");
  });

  it("reads certificates anew when it is told to, for new connections; what can't be used changes nothing", async () => {
    const [first, second] = [forHost("mqtt.example"), forHost("mqtt.example")];
    const pair = pairOf(first);
    const other = pairOf(forHost("other.example"));
    const { gateway, port, lines } = await withTls({ pairs: [pair, other] });
    const serialAt = async (servername = "mqtt.example"): Promise<string> =>
      (await secure(port, { servername })).getPeerCertificate().serialNumber;
    const [before, otherBefore] = [await serialAt(), await serialAt("other.example")];

    writeFileSync(pair.cert, second.cert);
    gateway.reload();
    expect(lines.at(-1)).toMatchObject({ kind: "problem", fields: { problem: `${pair.key} is not the key of ${pair.cert}.` } });
    expect(await serialAt()).toBe(before);

    writeFileSync(pair.key, second.key);
    const renewed = forHost("other.example");
    writeFileSync(other.cert, renewed.cert);
    writeFileSync(other.key, renewed.key);
    gateway.reload();
    expect(lines.at(-1)).toMatchObject({ kind: "notice", message: "certificates were read anew" });
    expect(await serialAt()).not.toBe(before);
    expect(await serialAt("other.example")).not.toBe(otherBefore);
  });

  it.each([
    [
      "a certificate that is not there",
      () => ({ pairs: [{ ...SERVER, cert: join(folder, "nowhere.pem") }] }),
      /nowhere\.pem can't be read \(ENOENT\)\.$/,
    ],
    ["a certificate that is none", () => ({ pairs: [{ ...SERVER, cert: file("hello") }] }), /holds no certificate in PEM\.$/],
    ["a key that is none", () => ({ pairs: [{ ...SERVER, key: file("hello") }] }), /holds no private key in PEM/],
    ["the key of another", () => ({ pairs: [{ cert: SERVER.cert, key: pairOf(forHost("x.example")).key }] }), /is not the key of/],
    ["an authority that is none", () => ({ pairs: [SERVER], ca: file("hello") }), /holds no certificate in PEM\.$/],
  ])("says what it can't begin with: %s", (_what, given, expected) => {
    expect(() => new Certificates(given())).toThrow(expected);
  });

  it("knows when the first certificate ends", () => {
    const soon = new Date(Math.floor(Date.now() / 1000) * 1000 + 3_600_000);
    const pair = pairOf(servers.certify({ alternativeNames: [[2, "soon.example"]], validTo: soon }));
    expect(new Certificates({ pairs: [SERVER, pair] }).validUntil).toEqual(soon);
  });
});

describe("client certificates", () => {
  const device = (certified: Certified): Certificate => devices.certify(certified);
  const CA = file(devices.cert);
  const NOT_AUTHORIZED = 0x87;

  it("let in whom the authority has certified, and name the user", async () => {
    const setting = await withTls({ ca: CA }, { userFrom: "cert-cn" });
    expect(await admitted(setting, device({ commonNames: ["device 7"] }))).toBe("127.0.0.1 device%207");
    const bySan = await withTls({ ca: CA }, { userFrom: "cert-san" });
    expect(await admitted(bySan, device({ commonNames: ["not this"], alternativeNames: [[2, "device-7"]] }))).toBe("127.0.0.1 device-7");
  });

  it("of others, none, expired or revoked ones: the client hears that it is not authorized, and the broker nothing", async () => {
    const revoked = device({ commonNames: ["device-8"] });
    const crl = file(devices.revoke([revoked]));
    const setting = await withTls({ ca: CA, crl }, { userFrom: "cert-cn" });
    const yesterday = new Date(Date.now() - 86_400_000);
    expect(await admitted(setting, strangers.certify({ commonNames: ["device-7"] }))).toBe(NOT_AUTHORIZED);
    expect(await admitted(setting, undefined)).toBe(NOT_AUTHORIZED);
    expect(await admitted(setting, device({ commonNames: ["device-7"], validTo: yesterday }))).toBe(NOT_AUTHORIZED);
    expect(await admitted(setting, revoked)).toBe(NOT_AUTHORIZED);
    expect(await admitted(setting, device({ commonNames: ["ada", "bob"] }))).toBe(NOT_AUTHORIZED);
    expect(await admitted(setting, device({}))).toBe(NOT_AUTHORIZED);
    expect([setting.broker.arrived.length, setting.gateway.metrics.counted("certificate")]).toEqual([0, 6]);
    expect(await admitted(setting, device({ commonNames: ["device-7"] }))).toBe("127.0.0.1 device-7");
    const whys = setting.lines.filter(({ message }) => message === "refused").map(({ fields }) => fields.why);
    expect(whys).toContain("a client certificate is needed");
    expect(whys).toContain("the client certificate is not accepted (CERT_REVOKED)");
  });

  it("may be left out where they are optional: then nobody is named; one that is wrong is refused all the same", async () => {
    const setting = await withTls({ ca: CA }, { userFrom: "cert-cn", areCertificatesOptional: true });
    expect(await admitted(setting, undefined)).toBe("127.0.0.1 -");
    expect(await admitted(setting, device({ commonNames: ["device-7"] }))).toBe("127.0.0.1 device-7");
    expect(await admitted(setting, strangers.certify({ commonNames: ["device-7"] }))).toBe(NOT_AUTHORIZED);
  });

  it("name nobody where nobody asked for names", async () => {
    expect(await admitted(await withTls({ ca: CA }), device({ commonNames: ["device-7"] }))).toBe("127.0.0.1 -");
  });

  it("of authorities that were taken away are taken no more, in a session of TLS that is resumed neither", async () => {
    const ca = file(devices.cert);
    const setting = await withTls({ ca }, { userFrom: "cert-cn" });
    const shown = device({ commonNames: ["device-7"] });
    const client = await secure(setting.port, { cert: shown.cert, key: shown.key });
    const session = new Promise<Buffer>((resolve) => client.once("session", resolve));
    client.write(CONNECT_BYTES);
    const options = { session: await session };
    const resumed = await secure(setting.port, { cert: shown.cert, key: shown.key, ...options });
    expect(resumed.isSessionReused()).toBe(true);
    const arriving = setting.broker.next();
    resumed.write(CONNECT_BYTES);
    expect((await arriving).request.headers["x-client"]).toBe("127.0.0.1 device-7");

    writeFileSync(ca, strangers.cert);
    setting.gateway.reload();
    expect(await admitted(setting, shown, options)).toBe(NOT_AUTHORIZED);
    expect(await admitted(setting, shown)).toBe(NOT_AUTHORIZED);
  });
});

describe("the PROXY protocol", () => {
  const HERE = Proxies.of(["127.0.0.1"]) as Proxies;

  it("says where clients are, before CONNECT, however it is cut", async () => {
    const setting = await gatewayAlone({}, { headersOf: ({ address }) => ({ "X-Client": address }) });
    const { broker } = setting;
    const behind = await gatewayAlone(
      { listeners: [{ host: "127.0.0.1", port: 0, proxies: HERE }] },
      { url: broker.url, headersOf: ({ address }) => ({ "X-Client": address }) },
    );
    for (const [header, address] of [
      [Buffer.from("PROXY TCP4 192.0.2.7 192.0.2.1 4000 1883\r\n"), "192.0.2.7"],
      [proxyV2({ source: [0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7], more: 40 }), "2001:db8::7"],
      [proxyV2({ source: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 192, 0, 2, 8] }), "192.0.2.8"],
      [Buffer.from("PROXY UNKNOWN\r\n"), "127.0.0.1"],
    ] as const) {
      const bytes = Buffer.concat([header, CONNECT_BYTES]);
      for (const size of [bytes.length, 1]) {
        const arriving = broker.next();
        const client = tcp(behind.port, { noDelay: true });
        for (let from = 0; from < bytes.length; from += size) {
          await new Promise((resolve) => client.write(bytes.subarray(from, from + size), resolve));
          await new Promise((resolve) => setImmediate(resolve));
        }
        const arrived = await arriving;
        if (arrived.frames.length === 0) await once(arrived.socket, "message");
        expect([arrived.request.headers["x-client"], Buffer.concat(arrived.frames)]).toEqual([address, CONNECT_BYTES]);
      }
    }
  });

  it("comes before TLS", async () => {
    const setting = await withTls({}, {}, { proxies: HERE });
    const raw = tcp(setting.port);
    await once(raw, "connect");
    raw.write(Buffer.from("PROXY TCP4 192.0.2.7 192.0.2.1 4000 8883\r\n"));
    const arriving = setting.broker.next();
    const client = connect({ socket: raw, ca: servers.cert, servername: "mqtt.example" });
    client.on("error", () => {});
    client.write(CONNECT_BYTES);
    expect((await arriving).request.headers["x-client"]).toBe("192.0.2.7 -");
  });

  it("and in the same segment as the first bytes of TLS", async () => {
    const setting = await withTls({}, {}, { proxies: HERE });
    const raw = tcp(setting.port);
    await once(raw, "connect");
    // A client that is asked for its bytes, so that they can go together with the header.
    raw.cork();
    raw.write(proxyV2({ source: [192, 0, 2, 9] }));
    const arriving = setting.broker.next();
    const client = connect({ socket: raw, ca: servers.cert, servername: "mqtt.example" });
    client.on("error", () => {});
    client.write(CONNECT_BYTES);
    process.nextTick(() => raw.uncork());
    expect((await arriving).request.headers["x-client"]).toBe("192.0.2.9 -");
  });

  it.each([
    ["a connection from elsewhere, whatever it says", ["192.0.2.1"], Buffer.concat([proxyV2({ source: [192, 0, 2, 7] }), CONNECT_BYTES])],
    ["a proxy that does not say it", ["127.0.0.1"], CONNECT_BYTES],
    ["a header that is none", ["127.0.0.1"], Buffer.from("PROXY TCP4 somebody\r\n")],
  ])("closes %s", async (_what, proxies, bytes) => {
    const listener = { host: "127.0.0.1", port: 0, proxies: Proxies.of(proxies) as Proxies };
    const { gateway, port, broker } = await gatewayAlone({ listeners: [listener] });
    const client = tcp(port);
    client.write(bytes);
    expect(await readAll(client)).toHaveLength(0);
    expect([broker.arrived.length, gateway.metrics.counted("proxy")]).toEqual([0, 1]);
  });

  it("closes a proxy that leaves, or does not say all in time", async () => {
    const { gateway, port, clock } = await gatewayAlone({ listeners: [{ host: "127.0.0.1", port: 0, proxies: HERE }] });
    const leaving = tcp(port);
    leaving.end("PROXY TCP4 ");
    await readAll(leaving);
    const slow = tcp(port);
    slow.write("PROXY TCP4 ");
    await expect.poll(() => gateway.metrics.connections).toBe(1);
    const end = readAll(slow);
    clock.advance(10_000);
    expect(await end).toHaveLength(0);
    expect(gateway.metrics.counted("proxy")).toBe(2);
  });

  it.each([
    ["", false],
    [", with TLS between them, which has its own", true],
  ])("and CONNECT have their time together%s", async (_how, hasTls) => {
    const listener = { host: "127.0.0.1", port: 0, proxies: HERE };
    const setting = hasTls ? await withTls({}, {}, { proxies: HERE }) : await gatewayAlone({ listeners: [listener] });
    const { gateway, port, clock, broker } = setting;
    const raw = tcp(port);
    await expect.poll(() => gateway.metrics.connections).toBe(1);
    clock.advance(CONNECT_MS - 2000);
    raw.write(proxyV2({ source: [192, 0, 2, 7] }));
    const client = hasTls ? connect({ socket: raw, ca: servers.cert, servername: "mqtt.example" }) : raw;
    client.on("error", () => {});
    if (hasTls) await once(client, "secureConnect");
    client.write(CONNECT_BYTES.subarray(0, 5));
    await settled(() => gateway.metrics.connections);
    clock.advance(1999);
    expect(await settled(() => gateway.metrics.connections)).toBe(1);
    clock.advance(1);
    await expect.poll(() => gateway.metrics.connections).toBe(0);
    expect([gateway.metrics.counted("slow"), broker.arrived.length]).toEqual([1, 0]);
  });

  it("makes the address that it tells the one whose connections are counted", async () => {
    const listener = { host: "127.0.0.1", port: 0, proxies: HERE };
    const setting = await gatewayAlone({ listeners: [listener], perAddressMax: 1 });
    const say = async (last: number): Promise<void> => {
      const client = tcp(setting.port);
      client.write(Buffer.concat([proxyV2({ source: [192, 0, 2, last] }), CONNECT_BYTES]));
    };
    for (const last of [1, 2]) {
      const arriving = setting.broker.next();
      await say(last);
      await arriving;
    }
    await say(2);
    await expect.poll(() => setting.gateway.metrics.counted("address")).toBe(1);
  });
});
