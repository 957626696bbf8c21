/** A truck: `MQTT_TOKEN=... node truck.mjs ws://127.0.0.1:8787/mqtt truck-7`. It says where it is, and raises an alarm when its tank is empty. */

import { connect } from "durable-mqtt/client";

const POSITION_MS = 2000;

const [url, name, ...alarms] = process.argv.slice(2);
if (url === undefined || name === undefined || !process.env.MQTT_TOKEN) {
  console.error("Expected: MQTT_TOKEN=... node truck.mjs ws://HOST/mqtt NAME [ALARM ...]");
  process.exit(2);
}

const client = await connect(url, { clientId: name, userName: name, password: process.env.MQTT_TOKEN });
console.log(`${name} is on the road`);
for (const alarm of alarms) await client.publish(`fleet/${name}/alarm`, alarm, { qos: 1 });

const startedAt = Date.now();
const timer = setInterval(() => {
  const angle = (Date.now() - startedAt) / 60_000;
  const position = { latitude: 48.2 + 0.1 * Math.sin(angle), longitude: 16.4 + 0.1 * Math.cos(angle) };
  client.publish(`fleet/${name}/position`, JSON.stringify(position), { retain: true });
}, POSITION_MS);

for (const signal of ["SIGINT", "SIGTERM"])
  process.once(signal, () => {
    clearInterval(timer);
    void client.end();
  });
