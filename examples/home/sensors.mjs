/**
 * Sensors, as boards speak: MQTT 5.0 over TCP. `node sensors.mjs mqtt://127.0.0.1:1883 kitchen bedroom`. MQTT_USER and MQTT_PASSWORD are their
 * login, where the broker wants one.
 */

import mqtt from "mqtt";

const MEASURE_MS = 2000;

const [url, ...rooms] = process.argv.slice(2);
if (url === undefined || rooms.length === 0) {
  console.error("Expected: node sensors.mjs mqtt://HOST:1883 ROOM [ROOM ...]");
  process.exit(2);
}

/** Degrees, up and down in some minutes, each room in its own way. */
function measure(index) {
  const minutes = Date.now() / 60_000;
  return (19 + index + 1.5 * Math.sin(minutes + index) + 0.1 * Math.random()).toFixed(1);
}

function start(room, index) {
  const topic = `home/${room}/temperature`;
  const client = mqtt.connect(url, {
    protocolVersion: 5,
    clientId: `sensor-${room}`,
    username: process.env.MQTT_USER,
    password: process.env.MQTT_PASSWORD,
    will: { topic: `home/${room}/status`, payload: "offline", qos: 1, retain: true },
  });
  client.on("error", (error) => console.error(`${room}: ${error.message}`));
  client.on("connect", () => {
    client.subscribe(`${topic}/get`, { qos: 1 });
    client.publish(`home/${room}/status`, "online", { qos: 1, retain: true });
    client.publish(topic, measure(index), { retain: true });
    console.log(`${room} is online`);
  });
  client.on("message", (_topic, _payload, { properties }) => {
    const { responseTopic, correlationData } = properties ?? {};
    if (responseTopic !== undefined) client.publish(responseTopic, measure(index), { qos: 1, properties: { correlationData } });
  });
  const timer = setInterval(() => {
    if (client.connected) client.publish(topic, measure(index), { retain: true });
  }, MEASURE_MS);
  return () => {
    clearInterval(timer);
    // With its will: so others hear that it is gone.
    client.end(false, { reasonCode: 0x04 });
  };
}

const ends = rooms.map(start);
for (const signal of ["SIGINT", "SIGTERM"])
  process.once(signal, () => {
    for (const end of ends) end();
  });
