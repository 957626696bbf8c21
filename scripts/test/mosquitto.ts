/**
 * `npm run mosquitto`: asks mosquitto and this broker the same questions, with the same password file and ACL file: who is let in, what is
 * published, what is delivered. Needs mosquitto on this machine (apt-get install mosquitto). Both listen on loopback only, and end with this.
 */
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import mqtt, { type MqttClient } from "mqtt";
import { ROOT } from "../build/bundle.ts";
import { startBroker } from "../local/local-broker.ts";
import { importMosquitto } from "../local/mosquitto-import.ts";

const FIXTURES = join(ROOT, "test/fixtures/mosquitto");

/** Sees and may do everything, in both. Its password is of this run alone. */
const WATCHER = { username: "watcher", password: randomBytes(12).toString("hex") };

const USERS = [
  { username: "ada", password: "lovelace", clientId: "a1" },
  { username: "bob", password: "builder", clientId: "b1" },
  { username: "carol smith", password: "c a r o l", clientId: "c1" },
  { username: "dora", password: "explorer", clientId: "d1" },
];
const STRANGERS = [
  { username: "ada", password: "wrong", clientId: "a2" },
  { username: "nobody", password: "x", clientId: "n1" },
  { clientId: "anonymous" },
];

const TOPICS = [
  [
    "home",
    "home/cellar",
    "home/cellar/wine",
    "home/kitchen/temperature",
    "home/kitchen/light",
    "home/x/y/temperature",
    "log/ada",
    "log/bob",
  ],
  ["out of words", "public/news", "elsewhere", "plain", "plain/x", "home2", "clients", "clients/x"],
  USERS.flatMap(({ clientId, username }) => [
    `clients/${clientId}`,
    ...["state", "secret", "a/b"].map((end) => `devices/${username}/${end}`),
  ]),
  ["devices/x/secret", "devices/xbob/a", "devices"],
].flat();

/** Delivered there by a pattern that the import says it can't carry over. */
const NOT_CARRIED = ["devices/xbob/a"];

/** What one broker says to one client. */
interface Answers {
  readonly published: readonly string[];
  readonly delivered: readonly string[];
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

async function startMosquitto(folder: string): Promise<{ readonly url: string; readonly stop: () => void }> {
  const port = await freePort();
  const [config, passwords, acl] = ["mosquitto.conf", "passwd", "acl"].map((name) => join(folder, name));
  copyFileSync(join(FIXTURES, "passwd"), passwords!);
  const added = spawn("mosquitto_passwd", ["-b", passwords!, WATCHER.username, WATCHER.password], { stdio: "ignore" });
  await new Promise((resolve, reject) => added.once("close", resolve).once("error", reject));
  const everything = `user ${WATCHER.username}\ntopic readwrite #\n`;
  writeFileSync(
    acl!,
    readFileSync(join(FIXTURES, "acl"), "utf8").replace("user ada\n", () => `${everything}\nuser ada\n`),
  );
  const user = process.getuid?.() === 0 ? "user root\n" : "";
  writeFileSync(config!, `${user}listener ${port} 127.0.0.1\nallow_anonymous false\npassword_file ${passwords}\nacl_file ${acl}\n`);
  const child = spawn("mosquitto", ["-c", config!], { stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  await new Promise<void>((resolve, reject) => {
    child.once("exit", (code) => reject(new Error(`mosquitto ended with ${code}: ${said}`)));
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      said += text;
      if (said.includes("running")) resolve();
    });
  });
  return { url: `mqtt://127.0.0.1:${port}`, stop: () => child.kill() };
}

async function startOurs(folder: string): Promise<{ readonly url: string; readonly stop: () => Promise<void> }> {
  const token = randomBytes(16).toString("hex");
  const broker = await startBroker({ env: { ADMIN_TOKEN: token } });
  const read = (name: string): string => readFileSync(join(folder, name), "utf8");
  const { users, problems } = importMosquitto({ passwords: read("passwd"), acl: read("acl") });
  for (const problem of problems) console.log(`  ${problem}`);
  const url = `${broker.url}/api/v5/authentication/password_based:built_in_database/users/import`;
  const body = users.map(({ user, ...rest }) => JSON.stringify({ user_id: user, ...rest })).join("\n");
  const answer = await fetch(url, { method: "POST", headers: { Authorization: `Bearer ${token}` }, body });
  if (!answer.ok) throw new Error(await answer.text());
  return { url: broker.mqttUrl, stop: () => broker.dispose() };
}

function connect(url: string, login: object): Promise<MqttClient> {
  return mqtt.connectAsync(url, { protocolVersion: 5, reconnectPeriod: 0, ...login }, false);
}

async function isLetIn(url: string, login: object): Promise<boolean> {
  try {
    await (await connect(url, login)).endAsync(true);
    return true;
  } catch {
    return false;
  }
}

/** What a client publishes and the watcher hears, and what the watcher publishes and the client hears; the mark comes behind all of it. */
async function ask(url: string, login: { readonly username: string; readonly clientId: string }): Promise<Answers> {
  const [watcher, client] = await Promise.all([connect(url, { ...WATCHER, clientId: `w-${login.clientId}` }), connect(url, login)]);
  const heard = { watcher: [] as string[], client: [] as string[] };
  watcher.on("message", (topic) => heard.watcher.push(topic));
  client.on("message", (topic) => heard.client.push(topic));
  await watcher.subscribeAsync("#");
  for (const topic of TOPICS) await client.publishAsync(topic, "", { qos: 1 }).catch(() => {});
  await watcher.publishAsync("mark", "", { qos: 1 });
  await until(() => heard.watcher.includes("mark"));
  await watcher.unsubscribeAsync("#");
  await client.subscribeAsync("#");
  for (const topic of TOPICS) await watcher.publishAsync(topic, "", { qos: 1 });
  // A topic that this client certainly hears.
  const mark = `clients/${login.clientId}`;
  await watcher.publishAsync(mark, "last", { qos: 1 });
  await until(() => heard.client.filter((topic) => topic === mark).length === 2);
  await Promise.all([watcher.endAsync(true), client.endAsync(true)]);
  return { published: heard.watcher.filter((topic) => topic !== "mark"), delivered: heard.client.slice(0, -1) };
}

async function until(isSo: () => boolean): Promise<void> {
  const began = Date.now();
  while (!isSo()) {
    if (Date.now() - began > 5000) throw new Error("no answer within 5 s");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

const folder = mkdtempSync(join(tmpdir(), "durable-mqtt-mosquitto-"));
const mosquitto = await startMosquitto(folder);
const ours = await startOurs(folder);
let [questions, differences] = [0, 0];

function compare(question: string, there: readonly string[] | boolean, other: readonly string[] | boolean): void {
  const one = Array.isArray(there) ? there.filter((topic) => !NOT_CARRIED.includes(topic)) : there;
  questions += Array.isArray(one) ? TOPICS.length : 1;
  if (JSON.stringify(one) === JSON.stringify(other)) return;
  differences += 1;
  console.log(`${question}\n  mosquitto: ${JSON.stringify(one)}\n  here:      ${JSON.stringify(other)}`);
}

try {
  for (const login of [...USERS, ...STRANGERS]) {
    compare(`Is ${JSON.stringify(login.clientId)} let in?`, await isLetIn(mosquitto.url, login), await isLetIn(ours.url, login));
  }
  for (const login of USERS) {
    const [there, here] = [await ask(mosquitto.url, login), await ask(ours.url, login)];
    compare(`What may ${login.username} publish?`, there.published, here.published);
    compare(`What is delivered to ${login.username}?`, there.delivered, here.delivered);
  }
} finally {
  mosquitto.stop();
  await ours.stop();
  rmSync(folder, { recursive: true });
}
console.log(`${questions} questions, ${differences} answers differ.`);
process.exit(differences > 0 ? 1 : 0);
