/** A process of its own that publishes over many topics, at a rate, for the benchmark of the console: `node load.ts URL TOPICS RATE`. */

import { connect } from "../../src/client/index.ts";

const [url = "", topicsText = "", rateText = ""] = process.argv.slice(2);
const [topics, rate] = [Number(topicsText), Number(rateText)];
/** How often it publishes, ms: a batch of clients sends like that. */
const TICK_MS = 10;

/** Four levels, as of a plant: 10 halls, 100 lines, each with devices and four values. */
export function topicOf(index: number): string {
  const device = Math.floor(index / 4);
  return `plant/hall-${device % 10}/line-${Math.floor(device / 10) % 100}/device-${device}/${["temperature", "power", "state", "count"][index % 4]}`;
}

const client = await connect(url, { clientId: "console-load" });
let [sent, next] = [0, 0];
const begun = performance.now();
setInterval(() => {
  const due = ((performance.now() - begun) / 1000) * rate;
  for (; sent < due; sent += 1, next = (next + 1) % topics) {
    const value = next % 4 === 2 ? (sent % 7 === 0 ? "off" : "on") : JSON.stringify({ value: (sent % 1000) / 10, unit: "°C", at: sent });
    void client.publish(topicOf(next), value);
  }
}, TICK_MS);
