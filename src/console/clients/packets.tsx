/** The packets of a client, live, the newest first; how many there are in a second, and what one of them says. */
import { useEffect, useMemo, useState } from "preact/hooks";
import { CameCount } from "../parts/came.ts";
import { Refused } from "../parts/needs-token.tsx";
import { Notice } from "../parts/notice.tsx";
import { countText, preciseTimeText, rateText } from "../parts/numbers.ts";
import { Rows } from "../parts/rows.tsx";
import { Structure } from "../payload/structure.tsx";
import { isBad, wordsOf } from "./packet-words.ts";
import { type Entry, Trace } from "./trace.ts";

/** As in the style sheet. */
const ROW_HEIGHT = 24;

/** Which are shown; what is said beside packets always is. */
const KINDS = {
  all: { words: "All packets", shows: () => true },
  publish: { words: "PUBLISH only", shows: (packet: string) => packet === "PUBLISH" },
  quiet: { words: "Without pings", shows: (packet: string) => packet !== "PINGREQ" && packet !== "PINGRESP" },
  session: { words: "Without messages", shows: (packet: string) => !/^PUB/.test(packet) && !/^PING/.test(packet) },
} as const;
type Kind = keyof typeof KINDS;

export function Packets({ clientId }: { readonly clientId: string }) {
  const trace = useMemo(() => new Trace(clientId), [clientId]);
  useEffect(() => () => trace.stop(), [trace]);
  const state = trace.state.value;
  const isOn = state.kind !== "off" && state.kind !== "refused";
  return (
    <section class="card packets" aria-labelledby="packets-title">
      <div class="bar">
        <h3 id="packets-title">Packets</h3>
        {isOn && <RatesNow trace={trace} />}
        <span class="gap" />
        {isOn ? (
          <button type="button" onClick={() => trace.stop()}>
            Stop watching
          </button>
        ) : (
          <button type="button" class="primary" onClick={() => void trace.start()}>
            Watch packets
          </button>
        )}
      </div>
      {state.kind === "refused" && <Refused error={state.error} scope="admin" onRetry={() => void trace.start()} />}
      {state.kind === "away" && <Notice kind="away">{state.problem} It is tried again.</Notice>}
      {(isOn || trace.entries.length > 0) && <List trace={trace} />}
    </section>
  );
}

/** Once a second: also when nothing comes any more. */
function RatesNow({ trace }: { readonly trace: Trace }) {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, []);
  const { in: came, out: sent, bytesIn, bytesOut } = trace.rates(now);
  return (
    <span class="quiet rates">
      <span title={`From the client: ${countText(Math.round(bytesIn))} bytes/s`}>
        <span aria-hidden="true">→</span> <span class="unseen">from it</span> {rateText(came)}
      </span>
      <span title={`To the client: ${countText(Math.round(bytesOut))} bytes/s`}>
        <span aria-hidden="true">←</span> <span class="unseen">to it</span> {rateText(sent)}
      </span>
    </span>
  );
}

function List({ trace }: { readonly trace: Trace }) {
  trace.frame.value;
  const [kind, setKind] = useState<Kind>("all");
  /** What is shown while it is paused. */
  const [held, setHeld] = useState<{ readonly entries: readonly Entry[]; readonly count: number }>();
  const [chosen, setChosen] = useState<Entry>();
  const { shows } = KINDS[kind];
  const all = held?.entries ?? trace.entries;
  const shown = kind === "all" ? all : all.filter((entry) => entry.kind === "note" || shows(entry.packet));
  const count = shown.length;
  const came = useMemo(() => new CameCount(), []).next(kind, shown);
  const at = chosen === undefined ? -1 : shown.lastIndexOf(chosen);
  const onKeyDown = (event: KeyboardEvent): void => {
    const step = { ArrowDown: -1, ArrowUp: 1, Home: count, End: -count }[event.key];
    if (step === undefined || count === 0) return;
    event.preventDefault();
    setChosen(shown[at < 0 ? count - 1 : Math.max(0, Math.min(count - 1, at + step))]);
  };
  const more = held === undefined ? 0 : trace.count - held.count;
  return (
    <>
      <div class="bar">
        <label>
          <span class="unseen">Which packets</span>
          <select value={kind} onChange={({ currentTarget }) => setKind(currentTarget.value as Kind)}>
            {Object.entries(KINDS).map(([each, { words }]) => (
              <option key={each} value={each}>
                {words}
              </option>
            ))}
          </select>
        </label>
        <button
          type="button"
          aria-pressed={held !== undefined}
          onClick={() => setHeld(held === undefined ? { entries: [...trace.entries], count: trace.count } : undefined)}
        >
          {held === undefined ? "Pause" : "Go on"}
        </button>
        <button
          type="button"
          onClick={() => {
            setHeld(undefined);
            setChosen(undefined);
            trace.clear();
          }}
        >
          Clear
        </button>
        <span class="quiet" role="status">
          {more > 0 ? `${countText(more)} more since it is paused` : ""}
        </span>
      </div>
      {count === 0 ? (
        <p class="quiet">{trace.state.value.kind === "opening" ? "Connecting …" : "No packet has come or gone yet."}</p>
      ) : (
        <div class="trace">
          <Rows
            class="list"
            role="listbox"
            aria-label="Packets, the newest first"
            tabIndex={0}
            aria-activedescendant={at < 0 ? undefined : `packet-${chosen!.id}`}
            onKeyDown={onKeyDown}
            count={count}
            rowHeight={ROW_HEIGHT}
            seen={at < 0 ? undefined : count - 1 - at}
            cameBefore={came}
            row={(index) => {
              const entry = shown[count - 1 - index]!;
              return <Row key={entry.id} entry={entry} isChosen={entry === chosen} onChoose={setChosen} />;
            }}
          />
        </div>
      )}
      {chosen?.kind === "packet" && (
        <section aria-label={`What ${chosen.packet} says`}>
          <Structure value={chosen.fields} />
        </section>
      )}
      {chosen?.kind === "note" && <p class="warm">{chosen.text}</p>}
    </>
  );
}

interface RowProps {
  readonly entry: Entry;
  readonly isChosen: boolean;
  readonly onChoose: (entry: Entry) => void;
}

function Row({ entry, isChosen, onChoose }: RowProps) {
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the list has the keys
    // biome-ignore lint/a11y/useFocusableInteractive: the list has the focus, and names this one as the active one
    <div id={`packet-${entry.id}`} role="option" class="row packet" aria-selected={isChosen} onClick={() => onChoose(entry)}>
      <time>{preciseTimeText(entry.time)}</time>
      {entry.kind === "note" ? (
        <span class="warm text">{entry.text}</span>
      ) : (
        <>
          <span class="way" data-way={entry.direction} title={entry.direction === "in" ? "From the client" : "To the client"}>
            {entry.direction === "in" ? "→" : "←"}
          </span>
          <span class={isBad(entry.packet, entry.fields) ? "kind bad" : "kind"}>{entry.packet}</span>
          <span class="value">{wordsOf(entry.packet, entry.fields)}</span>
        </>
      )}
    </div>
  );
}
