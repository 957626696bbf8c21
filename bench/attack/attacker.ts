/**
 * The program of the attacker, in a process of its own: makes the runtime's memory as large as ordinary load makes it, prepares, attacks
 * between `begin` and `stop`, and takes away what it left. Takes AttackerOptions, then AttackerOrders, tells AttackerEvents. It ends when
 * its input does. Started by bench/attack/run.ts.
 */

import { createInterface } from "node:readline";
import { sleep } from "../load/measure.ts";
import { ATTACKS } from "./attacks/index.ts";
import { endSessions, KEPT } from "./attacks/messages.ts";
import { publishBytes, subscribeBytes } from "./client.ts";
import { Field } from "./field.ts";
import type { AttackerEvent, AttackerOptions, AttackerOrder } from "./options.ts";

/** An attack that does not end by itself when it is over, because the broker owes it an answer, is left as it is. */
const END_MS_MAX = 2000;

const ORDINARY_CLIENTS = 100;
const ORDINARY_MESSAGES = 200;
const ORDINARY_AWAY = 20;

/** A short life as brokers have it: clients come and go, others are away and messages of different sizes wait for them; nothing stays. */
async function ordinaryLoad(field: Field, rounds: number): Promise<void> {
  const payload = new Uint8Array(10_000);
  const away = Array.from({ length: rounds === 0 ? 0 : ORDINARY_AWAY }, (_, index) => `ordinary-away-${index}`);
  for (const [index, clientId] of away.entries()) {
    const client = await field.need({ clientId, properties: KEPT });
    await client.subscribe([{ filter: `ordinary/${index % 10}/+`, qos: 1, noLocal: false, retainAsPublished: false, retainHandling: 0 }]);
    field.drop(client);
  }
  for (let round = 0; round < rounds; round += 1) {
    const clientIds = Array.from({ length: ORDINARY_CLIENTS }, (_, index) => `ordinary-${round}-${index}`);
    const clients = await Promise.all(clientIds.map((clientId) => field.need({ clientId })));
    for (const [index, client] of clients.entries()) client.send(subscribeBytes([`ordinary/${index % 10}/+`]));
    for (let index = 0; index < ORDINARY_MESSAGES; index += 1) {
      const bytes = publishBytes(`ordinary/${index % 10}/x`, payload.subarray(0, index * 50), { qos: 1, packetId: index + 1 });
      clients[index % clients.length]!.send(bytes);
    }
    await sleep(200);
    for (const client of clients) field.drop(client);
  }
  await endSessions(field, away);
}

function tell(event: AttackerEvent): void {
  console.log(JSON.stringify(event));
}

const { attack: key, target, ordinaryRounds } = JSON.parse(process.argv[2]!) as AttackerOptions;
const attack = ATTACKS.find((each) => each.key === key)!;
const over = new AbortController();
const field = new Field(target, over.signal);
const orders = createInterface(process.stdin)[Symbol.asyncIterator]();
const next = async (wanted: AttackerOrder): Promise<void> => {
  const { value } = await orders.next();
  if (value !== wanted) process.exit(0);
};

await ordinaryLoad(field, ordinaryRounds);
await attack.prepare?.(field);
tell({ event: "prepared" });
await next("begin");
const cpu = process.cpuUsage();
const start = performance.now();
field.ended = 0;
const attacking = attack.run(field);
await next("stop");
over.abort();
await Promise.race([attacking, sleep(END_MS_MAX)]);
const { user, system } = process.cpuUsage(cpu);
const busy = (user + system) / 1000 / (performance.now() - start);
const { count, ended } = field;
if (!attack.stays) await field.dropAll();
await attack.clean?.(field);
tell({ event: "stopped", report: { count, ended, busy } });
await orders.next();
process.exit(0);
