/** What a topic was, since it is looked at: as a plot where there are numbers, and as a list. */
import { useMemo, useState } from "preact/hooks";
import { preciseTimeText } from "../parts/numbers.ts";
import { Plot } from "../parts/plot.tsx";
import { Rows } from "../parts/rows.tsx";
import { lineOf, places, plottedOf, textOf } from "../payload/formats.ts";
import type { Value } from "./value.ts";
import { watch } from "./watch.ts";

const ROW_HEIGHT = 24;

interface Props {
  /** The oldest first. */
  readonly values: readonly Value[];
  /** How many there were, with those that are held no more. */
  readonly came: number;
  readonly held: Value | undefined;
  readonly onHold: (value: Value) => void;
}

export function History({ values, came, held, onHold }: Props) {
  // The list is the same one, and grows: what is given to this does not tell that there is more of it.
  watch.moment.value;
  const [place, setPlace] = useState<string>();
  const last = values.at(-1);
  const choices = useMemo(() => placesOf(last), [last]);
  const chosen = place ?? choices[0];
  const count = values.length;
  const points = useMemo(() => (chosen === undefined ? [] : pointsOf(values, chosen)), [last, count, chosen]);
  if (count === 0) return null;
  return (
    <section class="history" aria-label="History">
      <div class="bar">
        <h3>History</h3>
        <span class="quiet">{count === 1 ? "1 value" : `${count} values`}</span>
        {choices.length > 1 && (
          <select aria-label="What is plotted" value={chosen} onChange={({ currentTarget }) => setPlace(currentTarget.value)}>
            {choices.map((each) => (
              <option key={each}>{each}</option>
            ))}
          </select>
        )}
      </div>
      {points.length > 1 && (
        <Plot
          label="Values over time"
          height={140}
          times={points.map(([time]) => time / 1000)}
          series={[{ name: chosen === "" ? "value" : chosen!, values: points.map(([, value]) => value) }]}
        />
      )}
      <div class="values">
        <Rows
          role="list"
          aria-label="Values, the newest first"
          count={count}
          rowHeight={ROW_HEIGHT}
          cameBefore={came}
          row={(index) => {
            const value = values[count - 1 - index]!;
            return (
              <div role="listitem" class="row" key={came - index}>
                <button type="button" class="plain past" aria-current={value === held} onClick={() => onHold(value)}>
                  <time>{preciseTimeText(value.time)}</time>
                  <span class="value">{value.payload === undefined ? "(not kept)" : lineOf(value.payload)}</span>
                </button>
              </div>
            );
          }}
        />
      </div>
    </section>
  );
}

/** Where in the value there are numbers. */
function placesOf(value: Value | undefined): readonly string[] {
  if (value?.payload === undefined) return [];
  if (plottedOf(value.payload, "") !== undefined) return [""];
  try {
    return [...places(JSON.parse(textOf(value.payload) ?? "")).keys()];
  } catch {
    return [];
  }
}

function pointsOf(values: readonly Value[], place: string): (readonly [time: number, value: number])[] {
  return values.flatMap(({ time, payload }) => {
    const value = payload === undefined ? undefined : plottedOf(payload, place);
    return value === undefined ? [] : [[time, value] as const];
  });
}
