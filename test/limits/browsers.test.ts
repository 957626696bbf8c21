/** What a browser may make of the broker for a page: which origins may connect, by which names, and what headers forbid. */

import { readFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { PAGE_FOLDER } from "../../scripts/build/bundle.ts";
import { type Broker, startBroker } from "../../scripts/local/local-broker.ts";
import { HEADERS, OF_THE_PAGE } from "../../src/edge/headers.ts";
import { refusesHost, refusesOrigin } from "../../src/edge/origin.ts";
import { parseSettings, type Settings } from "../../src/settings.ts";

function settingsOf(env: Record<string, string>): Settings {
  const settings = parseSettings(env);
  if (Array.isArray(settings)) throw new Error(JSON.stringify(settings));
  return settings;
}

/** @returns the status of an upgrade of a page of this origin, 101 when it is not refused */
function upgradeOf(url: string, origin: string | undefined, env: Record<string, string>): number {
  const headers: Record<string, string> = origin === undefined ? {} : { Origin: origin };
  return refusesOrigin({ url: new URL(url), headers: new Headers(headers) }, settingsOf(env))?.status ?? 101;
}

const OPEN = { ALLOW_ANONYMOUS: "true" };
const LOCAL = "http://127.0.0.1:8083/mqtt";
const PUBLIC = "https://mqtt.example/mqtt";

describe("the origin of a page", () => {
  it.each([
    // On one's own machine, open to all programs on it.
    [LOCAL, undefined, OPEN, 101],
    [LOCAL, "http://127.0.0.1:8083", OPEN, 101],
    [LOCAL, "http://localhost:5173", OPEN, 101],
    [LOCAL, "http://app.localhost", OPEN, 101],
    [LOCAL, "http://[::1]:3000", OPEN, 101],
    [LOCAL, "https://evil.example", OPEN, 403],
    [LOCAL, "http://localhost.evil.example", OPEN, 403],
    [LOCAL, "http://127.0.0.1.evil.example", OPEN, 403],
    [LOCAL, "null", OPEN, 403],
    [LOCAL, "", OPEN, 403],
    [LOCAL, "file://", OPEN, 403],
    // Elsewhere, open to all: what lets clients in may be where they are, or what a browser sends by itself to something in front.
    [PUBLIC, undefined, OPEN, 101],
    [PUBLIC, "https://mqtt.example", OPEN, 101],
    [PUBLIC, "https://app.example", OPEN, 403],
    [PUBLIC, "http://localhost:5173", OPEN, 403],
    [PUBLIC, "https://mqtt.example.evil.example", OPEN, 403],
    // A password or a token has to be in CONNECT.
    [PUBLIC, "https://app.example", { USERS: "[]" }, 101],
    [PUBLIC, "null", { USERS: "[]" }, 101],
    [PUBLIC, "https://app.example", { USERS: "[]", ...OPEN }, 403],
    // Where the operator says so, nothing else counts.
    [PUBLIC, "https://app.example", { ALLOWED_ORIGINS: "https://app.example, http://localhost:5173" }, 101],
    [PUBLIC, "http://localhost:5173", { ALLOWED_ORIGINS: "https://app.example,http://localhost:5173", ...OPEN }, 101],
    [PUBLIC, "https://mqtt.example", { ALLOWED_ORIGINS: "https://app.example" }, 101],
    [PUBLIC, "https://other.example", { ALLOWED_ORIGINS: "https://app.example" }, 403],
    [PUBLIC, "http://app.example", { ALLOWED_ORIGINS: "https://app.example" }, 403],
    [PUBLIC, "null", { ALLOWED_ORIGINS: "https://app.example" }, 403],
    [PUBLIC, "https://other.example", { ALLOWED_ORIGINS: "*", ...OPEN }, 101],
    [PUBLIC, "null", { ALLOWED_ORIGINS: "*", ...OPEN }, 101],
  ])("%s for a page of %s with %o: %i", (url, origin, env, status) => {
    expect(upgradeOf(url, origin, env)).toBe(status);
  });

  it.each(["https://app.example/", "app.example", "https://app.example,", "https://*.example", "null"])("%s is no setting", (text) => {
    expect(parseSettings({ ALLOWED_ORIGINS: text })).toMatchObject([{ variable: "ALLOWED_ORIGINS" }]);
  });
});

describe("the name that is asked for", () => {
  it.each([
    ["http://anything.example/", "", true],
    ["http://localhost:8083/", "loopback", true],
    ["http://mqtt.localhost:8083/", "loopback", true],
    ["http://127.0.0.1:8083/", "loopback", true],
    ["http://127.1.2.3/", "loopback", true],
    ["http://[::1]:8083/", "loopback", true],
    ["http://rebound.example:8083/", "loopback", false],
    ["http://127.0.0.1.rebound.example:8083/", "loopback", false],
    ["http://192.168.1.7:8083/", "loopback", false],
    ["http://broker.home:8083/", "loopback,broker.home", true],
    ["http://localhost:8083/", "broker.home", false],
  ])("%s where ALLOWED_HOSTS is %j: %s", (url, hosts, isTaken) => {
    expect(refusesHost(new URL(url), settingsOf({ ALLOWED_HOSTS: hosts }))?.status).toBe(isTaken ? undefined : 421);
  });

  it.each(["a:80", "http://a", "a b", "a,,b"])("%s is no setting", (text) => {
    expect(parseSettings({ ALLOWED_HOSTS: text })).toMatchObject([{ variable: "ALLOWED_HOSTS" }]);
  });
});

describe("a broker as npm start runs it", () => {
  let broker: Broker;
  beforeAll(async () => {
    broker = await startBroker({ env: { ALLOW_ANONYMOUS: "true", ALLOWED_HOSTS: "loopback" } });
  });
  afterAll(() => broker.dispose());

  /** By a client that sends any Host and Origin. */
  function ask(path: string, headers: Record<string, string>): Promise<{ status: number; headers: Record<string, unknown> }> {
    return new Promise((resolve, reject) => {
      const asked = request({ host: "127.0.0.1", port: broker.port, path, headers });
      asked.on("upgrade", (answer, socket) => {
        socket.destroy();
        resolve({ status: answer.statusCode!, headers: answer.headers });
      });
      asked.on("response", (answer) => {
        answer.resume();
        resolve({ status: answer.statusCode!, headers: answer.headers });
      });
      asked.on("error", reject);
      asked.end();
    });
  }
  const UPGRADE = {
    Connection: "Upgrade",
    Upgrade: "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
  };

  it.each(["/mqtt", "/ws", "/", "/other/mqtt", "/mqtt?clientId=c"])(
    "%s: a page of elsewhere may not connect, one of this machine may",
    async (path) => {
      expect((await ask(path, { ...UPGRADE, Origin: "https://evil.example" })).status).toBe(403);
      expect((await ask(path, { ...UPGRADE, Origin: "http://localhost:5173" })).status).toBe(101);
      expect((await ask(path, UPGRADE)).status).toBe(101);
    },
  );

  it.each(["/mqtt", "/", "/health", "/metrics", "/nothing"])("%s: a name that was made to mean this machine is nobody's", async (path) => {
    const Host = `rebound.example:${broker.port}`;
    expect((await ask(path, { Host })).status).toBe(421);
    expect((await ask(path, { ...UPGRADE, Host, Origin: `http://${Host}` })).status).toBe(421);
  });

  it("every answer says that it is neither sniffed nor framed, and only the page may run its own files", async () => {
    const script = /src="\.?\/?(assets\/[^"]+\.js)"/.exec(readFileSync(join(PAGE_FOLDER, "index.html"), "utf8"))![1]!;
    for (const path of ["/", `/${script}`]) {
      const { status, headers } = await ask(path, {});
      expect(status, path).toBe(200);
      expect(headers, path).toMatchObject({ "x-content-type-options": "nosniff", "content-security-policy": OF_THE_PAGE });
    }
    for (const path of ["/health", "/metrics", "/mqtt", "/nothing"]) {
      const { headers } = await ask(path, {});
      for (const [name, value] of HEADERS) expect(headers[name.toLowerCase()], path).toBe(value);
      expect(headers["content-security-policy"], path).toBe("default-src 'none'; frame-ancestors 'none'");
    }
  });

  it("files that the platform serves by itself have the same headers", () => {
    const lines = [...HEADERS, ["Content-Security-Policy", OF_THE_PAGE]].map(([name, value]) => `  ${name}: ${value}\n`);
    expect(readFileSync(join(PAGE_FOLDER, "_headers"), "utf8")).toBe(`/*\n${lines.join("")}`);
  });
});
