/**
 * `npm run bench:gateway`: idle clients over TCP through one gateway process to a broker on this machine, how long it takes until all are connected,
 * and the memory of the gateway for each. At the end every client is heard once, so that none of them was lost unseen.
 */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect as connectTcp, type Socket } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { connect as connectTls } from "node:tls";
import { parseArgs } from "node:util";
import { ROOT } from "../scripts/build/bundle.ts";
import { startBroker } from "../scripts/local/local-broker.ts";
import { openFilesMax } from "../src/cli/open-files.ts";
import { encodePacket } from "../src/mqtt/encode.ts";
import { CONNECT, NO_PROPERTIES } from "../src/mqtt/packet.ts";

const { values } = parseArgs({
  options: {
    connections: { type: "string", default: "10000" },
    /** How long they are idle before memory is looked at. */
    seconds: { type: "string", default: "20" },
    /** With both, clients come by TLS. */
    cert: { type: "string" },
    key: { type: "string" },
  },
});

/** Clients that connect at a time. */
const AT_ONCE = 200;

/** Of this machine, so that the ports of no one address run out. */
const ADDRESSES = 16;

/** Two files for each connection, and some beside. */
const ROOM = Math.floor((openFilesMax() - 100) / 2);

const PINGREQ = Buffer.of(0xc0, 0);

const wanted = Number(values.connections);
const count = Math.min(wanted, ROOM);
if (count < wanted) console.error(`There is room for ${count} connections instead of ${wanted}: raise ulimit -n to ${2 * wanted + 100}.`);

const isTls = values.cert !== undefined && values.key !== undefined;
const broker = await startBroker({
  env: { TOPOLOGY: "sharded", ALLOW_ANONYMOUS: "true", CONNECTIONS_MAX: "32768", SESSIONS_MAX: "100000" },
});
const gateway = spawn(
  process.execPath,
  [
    join(ROOT, "scripts/local/durable-mqtt.ts"),
    ...["gateway", "--to", broker.mqttUrl, "--per-address", "0", "--connections", String(count), "--metrics", "0", "--json"],
    ...(isTls ? ["--tls", "0", "--cert", values.cert!, "--key", values.key!] : ["--tcp", "0"]),
  ],
  { stdio: ["ignore", "inherit", "pipe"] },
);
// Whatever happens here, it does not stay.
process.on("exit", () => gateway.kill("SIGKILL"));
const { port, metrics } = await running();

/** Where the gateway listens, as its log says. */
async function running(): Promise<{ readonly port: number; readonly metrics: string }> {
  for await (const line of createInterface(gateway.stderr!)) {
    const { message, tcp, tls, metrics } = JSON.parse(line) as Record<string, string>;
    if (message !== "running") continue;
    gateway.stderr!.on("data", () => {}).resume();
    return { port: Number(isTls ? tls : tcp), metrics: metrics! };
  }
  throw new Error("The gateway has ended.");
}

/** A number of the gateway's metrics. */
async function metric(name: string): Promise<number> {
  const text = await (await fetch(metrics)).text();
  return Number(new RegExp(`^${name} (.*)$`, "m").exec(text)?.[1] ?? Number.NaN);
}

const memory = (): Promise<number> => metric("process_resident_memory_bytes");

async function connect(index: number): Promise<Socket> {
  const options = { port, host: "127.0.0.1", localAddress: `127.0.0.${1 + (index % ADDRESSES)}` };
  const socket = isTls ? connectTls({ ...options, rejectUnauthorized: false }) : connectTcp(options);
  const packet = {
    type: CONNECT,
    version: 5,
    clean: true,
    keepAliveSeconds: 0,
    clientId: `idle-${index}`,
    properties: NO_PROPERTIES,
  } as const;
  socket.write(encodePacket({ ...packet, will: undefined, userName: undefined, password: undefined }, 5));
  const [connack] = (await once(socket, "data")) as [Buffer];
  if (connack[0] !== 0x20 || connack[3] !== 0) throw new Error(`client ${index} was refused: ${connack.toString("hex")}`);
  return socket;
}

const mebibytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MiB`;

const before = await memory();
const began = performance.now();
const sockets: Socket[] = [];
let next = 0;
await Promise.all(
  Array.from({ length: AT_ONCE }, async () => {
    while (next < count) sockets.push(await connect(next++));
  }),
);
const seconds = (performance.now() - began) / 1000;
const after = await memory();
await new Promise((resolve) => setTimeout(resolve, Number(values.seconds) * 1000));
const idle = await memory();
const pinged = performance.now();
await Promise.all(
  sockets.map(async (socket) => {
    socket.write(PINGREQ);
    await once(socket, "data");
  }),
);
const pingSeconds = (performance.now() - pinged) / 1000;
const open = await metric("durable_mqtt_gateway_open");

console.log(`
${isTls ? "TLS" : "TCP"} connections through one process: ${open} of ${count}
connected in ${seconds.toFixed(1)} s: ${Math.round(count / seconds)} a second
memory of the gateway: ${mebibytes(before)} without connections, ${mebibytes(after)} with them, ${mebibytes(idle)} after ${values.seconds} s
per connection: ${((idle - before) / count / 1024).toFixed(1)} KiB, ${((after - before) / count / 1024).toFixed(1)} KiB while they connect
every client was heard again within ${pingSeconds.toFixed(2)} s`);

for (const socket of sockets) socket.destroy();
gateway.kill("SIGTERM");
await once(gateway, "exit");
await broker.dispose();
process.exit(open === count ? 0 : 1);
