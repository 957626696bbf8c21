/** A device: `node device.mjs ws://127.0.0.1:8787/mqtt kitchen`. MQTT_USER and MQTT_PASSWORD are its login, where the broker wants one. */

import { connect } from "durable-mqtt/client";

const [url, name] = process.argv.slice(2);
if (url === undefined || name === undefined) {
  console.error("Expected: node device.mjs ws://HOST/mqtt NAME");
  process.exit(2);
}

let light = "off";
const client = await connect(url, { clientId: name, userName: process.env.MQTT_USER, password: process.env.MQTT_PASSWORD });

await client.subscribe(`devices/${name}/temperature`, {
  qos: 1,
  onMessage: (request) => client.respond(request, (20 + 2 * Math.sin(Date.now() / 60_000)).toFixed(1)),
});
await client.subscribe(`devices/${name}/light`, {
  qos: 1,
  onMessage(request) {
    if (["on", "off"].includes(request.text())) light = request.text();
    return client.respond(request, light);
  },
});
console.log(`${name} listens`);

process.once("SIGINT", () => client.end());
process.once("SIGTERM", () => client.end());
