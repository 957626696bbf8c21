/** How the broker does: how much there is, what comes and goes, what is dropped and why, and what it costs. */
import { useMemo, useState } from "preact/hooks";
import { Refused } from "../parts/needs-token.tsx";
import { countText, rateText, sizeText } from "../parts/numbers.ts";
import { type Polled, usePolled } from "../parts/polled.ts";
import { api } from "../session/session.ts";
import { BillCard } from "./bill-card.tsx";
import { Curves, RANGES, type Range } from "./curves.tsx";
import { type Figures, type ObjectFigures, retainedOf, sumOf } from "./figures.ts";
import { Live } from "./live.ts";

/** Each look is a request and a call to each object: often enough to see something happen, seldom enough to cost nothing. */
const LOOK_MS = 5000;
const LIVE_MS = 2000;

export function OverviewView() {
  const [range, setRange] = useState<Range>("hour");
  const asker = api.value;
  const polled: Polled<Figures> = usePolled(
    async (signal) => {
      const [stats, metrics] = await Promise.all([
        asker.get<ObjectFigures[]>("/stats", {}, signal),
        asker.get<ObjectFigures[]>("/metrics", {}, signal),
      ]);
      return { stats, metrics, time: Date.now() };
    },
    [asker],
    range === "minute" ? LIVE_MS : LOOK_MS,
  );
  const { answer, error } = polled;
  const looks = useMemo(() => new Live(), [asker]);
  const live = answer === undefined ? [] : looks.look(answer);
  if (answer === undefined && error === undefined) return <p class="nothing">Asking the broker …</p>;
  return (
    <div class="page">
      {error !== undefined && <Refused error={error} scope="read" onRetry={polled.again} />}
      {answer !== undefined && (
        <>
          <Tiles figures={answer} received={live.at(-1)?.received} sent={live.at(-1)?.sent} />
          <section aria-label="Curves">
            <div class="bar">
              <h2>Messages and connections</h2>
              <span class="gap" />
              <fieldset class="choices" aria-label="Range">
                {RANGES.map(({ key, name }) => (
                  <button type="button" key={key} aria-pressed={key === range} onClick={() => setRange(key)}>
                    {name}
                  </button>
                ))}
              </fieldset>
            </div>
            <Curves range={range} live={live} />
          </section>
          <div class="columns">
            <BillCard />
            <Drops figures={answer} />
          </div>
          <Objects figures={answer} />
        </>
      )}
    </div>
  );
}

interface TilesProps {
  readonly figures: Figures;
  readonly received: number | undefined;
  readonly sent: number | undefined;
}

/** Retained messages are not counted for whoever only looks where they are many. */
function knownText(count: ObjectFigures[string] | undefined): string {
  return count === undefined ? "–" : countText(Number(count));
}

function Tiles({ figures: { stats }, received, sent }: TilesProps) {
  const up = stats.filter((each) => each.up).length;
  const rate = (value: number | undefined): string => (value === undefined ? "…" : rateText(value));
  const tiles = [
    ["Connections", countText(sumOf(stats, "live_connections.count"))],
    ["Sessions", countText(sumOf(stats, "sessions.count"))],
    ["Subscriptions", countText(sumOf(stats, "subscriptions.count"))],
    ["Retained", knownText(retainedOf(stats))],
    ["Waiting", countText(sumOf(stats, "mqueue.count"))],
    ["In flight", countText(sumOf(stats, "inflight.count"))],
    ["In", rate(received)],
    ["Out", rate(sent)],
    ["Objects up", `${up} of ${stats.length}`],
  ] as const;
  return (
    <dl class="tiles">
      {tiles.map(([name, value]) => (
        <div key={name} data-bad={name === "Objects up" && up < stats.length}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

const REASONS: Readonly<Record<string, string>> = {
  queue_full: "The queue of the session was full",
  too_large: "Larger than the client accepts",
  expired: "Its expiry interval was over",
  memory: "The object was short of memory",
  unread: "The client did not read (QoS 0)",
  not_authorized: "The client may not receive it",
  refused: "The Worker's code refused it",
  session_ended: "The session ended before it was sent",
};

function Drops({ figures: { metrics } }: { readonly figures: Figures }) {
  const prefix = "delivery.dropped.";
  const names = Object.keys(metrics[0] ?? {}).filter((name) => name.startsWith(prefix));
  const rows = names.map((name) => [name.slice(prefix.length), sumOf(metrics, name)] as const).filter(([, count]) => count > 0);
  return (
    <section class="card" aria-label="Dropped messages">
      <h2>Dropped messages</h2>
      {rows.length === 0 ? (
        <p class="quiet">None, since the objects woke.</p>
      ) : (
        <table>
          <tbody>
            {rows.map(([reason, count]) => (
              <tr key={reason}>
                <td>{REASONS[reason] ?? reason}</td>
                <td class="number">{countText(count)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}

function Objects({ figures: { stats, metrics } }: { readonly figures: Figures }) {
  const columns = [
    ["live_connections.count", "Connections"],
    ["sessions.count", "Sessions"],
    ["subscriptions.count", "Subscriptions"],
    ["retained.count", "Retained"],
    ["mqueue.count", "Waiting"],
  ] as const;
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: on a phone it is scrolled sideways, by keys too
    <section class="card" aria-label="Objects" tabIndex={0}>
      <h2>Objects</h2>
      <table>
        <thead>
          <tr>
            <th scope="col">Object</th>
            {columns.map(([, title]) => (
              <th scope="col" class="number" key={title}>
                {title}
              </th>
            ))}
            <th scope="col" class="number">
              Memory
            </th>
          </tr>
        </thead>
        <tbody>
          {stats.map((each, index) => (
            <tr key={each.node}>
              <th scope="row">
                <code>{each.node}</code> {!each.up && <span class="badge bad">does not answer</span>}
              </th>
              {columns.map(([name]) => (
                <td class="number" key={name}>
                  {knownText(each[name])}
                </td>
              ))}
              <td class="number">{sizeText(Number(metrics[index]?.["memory.bytes"] ?? 0))}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
