/** The plots of docs/performance.md. */

import { figureOf, medianOf, type Results, ratio } from "./results.ts";
import { SCENARIOS, type Scenario } from "./scenarios.ts";
import { type BarGroup, barChart } from "./svg.ts";
import { number, times } from "./tables.ts";

const COLOURS: Readonly<Record<string, string>> = {
  compact: "#1f6feb",
  handed: "#6ea8fe",
  relayed: "#a9c8ff",
  aedes: "#d29922",
  mosquitto: "#8b949e",
  floor: "#3fb950",
};
const LABELS: Readonly<Record<string, string>> = {
  compact: "compact",
  handed: "sharded, handed over",
  relayed: "sharded, relayed",
  aedes: "aedes",
  mosquitto: "mosquitto",
  floor: "bare Durable Object",
};

const SHAPE = "64 bytes, MQTT 3.1.1, a frame for each packet, 16 on the way for each publisher; longer is better";

export interface Plot {
  /** Of its file, without the ending. */
  readonly name: string;
  readonly of: readonly Scenario[];
  /** @returns SVG */
  readonly draw: () => string;
}

export function plots(results: Results): Plot[] {
  const group = (scenario: Scenario, keys: readonly string[], against?: string): BarGroup[] => {
    const result = results.scenarios.find(({ key }) => key === scenario.key);
    if (result === undefined) return [];
    const bars = keys.map((key) => {
      const value =
        against === undefined ? medianOf(result, key, (sample) => figureOf(scenario.unit, sample)) : ratio(scenario, result, key, against);
      const text = against === undefined ? number(value) : times(value);
      return { label: LABELS[key]!, text, value, colour: COLOURS[key]! };
    });
    return [{ title: scenario.title, bars }];
  };
  const packets = SCENARIOS.filter(({ group }) => group === "packets");
  const single = packets.filter(({ key }) => !key.startsWith("fan-out"));
  const fanOut = packets.filter(({ key }) => key.startsWith("fan-out"));
  const library = SCENARIOS.filter(({ group }) => group === "library");
  const latency = SCENARIOS.filter(({ key }) => key.startsWith("ping") || key === "half");
  const memory = SCENARIOS.filter(({ unit }) => unit === "KB");
  const brokers = ["compact", "handed", "relayed", "aedes", "mosquitto", "floor"];
  const plot = (name: string, title: string, subtitle: string, of: readonly Scenario[]): Plot => ({
    name,
    of,
    draw: () =>
      barChart(
        title,
        subtitle,
        of.flatMap((scenario) => group(scenario, brokers)),
      ),
  });
  return [
    plot("throughput", "Deliveries a second", SHAPE, single),
    plot("fan-out", "Deliveries a second, 1 to 100", SHAPE, fanOut),
    plot("library", "Deliveries a second with MQTT.js", "64 bytes, MQTT 3.1.1; longer is better", library),
    plot("latency", "Milliseconds from publisher to subscriber", "median; shorter is better", latency),
    plot("memory", "KB of process memory for an idle connection", "of 10,000; shorter is better", memory),
  ];
}
