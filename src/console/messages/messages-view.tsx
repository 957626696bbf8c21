/** Messages as they come, for subscriptions of one's own; and publishing. */
import { useMemo, useRef, useState } from "preact/hooks";
import { base64Of } from "../parts/bytes.ts";
import { CameCount } from "../parts/came.ts";
import { saveAs } from "../parts/files.ts";
import { countText, preciseTimeText } from "../parts/numbers.ts";
import { Rows } from "../parts/rows.tsx";
import { SearchField } from "../parts/search-field.tsx";
import { type Format, lineOf, textOf } from "../payload/formats.ts";
import { Payload } from "../payload/payload.tsx";
import { PropertiesOf } from "../payload/properties.tsx";
import { countOf, rowsOf } from "../payload/property-rows.ts";
import { type Entry, log } from "./log.ts";
import { PublishForm } from "./publish-form.tsx";
import { SubscribeForm } from "./subscribe-form.tsx";

/** As in the style sheet. */
const ROW_HEIGHT = 28;

export function MessagesView() {
  const [chosen, setChosen] = useState<Entry>();
  /** The request that is responded to. */
  const [request, setRequest] = useState<Entry>();
  /** On a phone, where there is room for one of both. */
  const [isWriting, setWriting] = useState(false);
  const close = (): void => {
    setChosen(undefined);
    setRequest(undefined);
    setWriting(false);
  };
  return (
    <div class="split messages" data-detail={chosen !== undefined || isWriting ? "open" : undefined}>
      <section class="pane" aria-label="Messages">
        <SubscribeForm />
        <List chosen={chosen} onChoose={setChosen} onWrite={() => setWriting(true)} />
      </section>
      <section class="pane detail" aria-label="Message">
        {chosen !== undefined ? (
          <Detail entry={chosen} onClose={close} onRespond={() => setRequest(chosen)} />
        ) : (
          <button type="button" class="back" aria-label="Back to the messages" onClick={close}>
            ←
          </button>
        )}
        {request === undefined ? (
          <details class="card" open>
            <summary>Publish</summary>
            <PublishForm />
          </details>
        ) : (
          <section class="card">
            <div class="bar title">
              <h3>Respond to {request.properties.responseTopic}</h3>
              <button type="button" onClick={() => setRequest(undefined)}>
                Cancel
              </button>
            </div>
            <PublishForm key={request.id} topic={request.properties.responseTopic!} request={request} />
          </section>
        )}
      </section>
    </div>
  );
}

interface ListProps {
  readonly chosen: Entry | undefined;
  readonly onChoose: (entry: Entry) => void;
  readonly onWrite: () => void;
}

function List({ chosen, onChoose, onWrite }: ListProps) {
  log.frame.value;
  const [text, setText] = useState("");
  const found = useFound(text);
  const came = useMemo(() => new CameCount(), []).next(text, found);
  const at = chosen === undefined ? -1 : found.lastIndexOf(chosen);
  const onKeyDown = (event: KeyboardEvent): void => {
    const step = { ArrowDown: -1, ArrowUp: 1 }[event.key];
    const next = step === undefined ? undefined : found[at < 0 ? found.length - 1 : at + step];
    if (next === undefined) return;
    event.preventDefault();
    onChoose(next);
  };
  return (
    <>
      <div class="bar">
        <SearchField label="Search messages" value={text} onSearch={setText} />
        <span class="quiet" role="status">
          {countText(log.count)} {log.count === 1 ? "message" : "messages"}
        </span>
        <button type="button" disabled={found.length === 0} onClick={() => saveAs("messages.ndjson", found.map(lineOfEntry))}>
          Save
        </button>
        <button type="button" onClick={() => log.clear()}>
          Clear
        </button>
        <button type="button" class="back primary" onClick={onWrite}>
          Publish …
        </button>
      </div>
      {found.length === 0 ? (
        <p class="nothing">
          {log.count === 0 ? "Subscribe to a filter, and its messages appear here, the newest first." : "No message has that."}
        </p>
      ) : (
        <Rows
          class="list"
          role="listbox"
          aria-label="Messages, the newest first"
          tabIndex={0}
          aria-activedescendant={at < 0 ? undefined : `message-${chosen!.id}`}
          onKeyDown={onKeyDown}
          count={found.length}
          rowHeight={ROW_HEIGHT}
          cameBefore={came}
          row={(index) => {
            const entry = found[found.length - 1 - index]!;
            return <Row key={entry.id} entry={entry} isChosen={entry === chosen} onChoose={onChoose} />;
          }}
        />
      )}
    </>
  );
}

interface Found {
  readonly text: string;
  /** How often the log had been cleared. */
  readonly clears: number;
  /** The entry that was looked at last. */
  readonly last: number;
  readonly found: readonly Entry[];
}

const NOTHING_FOUND: Found = { text: "", clears: 0, last: 0, found: [] };

/** The entries that have a text in their topic or payload; what was found before is not looked at again. */
function useFound(text: string): readonly Entry[] {
  const known = useRef<Found>(NOTHING_FOUND);
  if (text === "") {
    known.current = NOTHING_FOUND;
    return log.entries;
  }
  const wanted = text.toLowerCase();
  const last = known.current;
  const isSame = last.text === wanted && last.clears === log.clears;
  const found = isSame ? last.found.filter(({ id }) => id >= (log.entries[0]?.id ?? 0)) : [];
  for (const entry of log.entries) {
    if (isSame && entry.id <= last.last) continue;
    if (entry.topic.toLowerCase().includes(wanted) || new TextDecoder().decode(entry.payload).toLowerCase().includes(wanted))
      found.push(entry);
  }
  known.current = { text: wanted, clears: log.clears, last: log.count, found };
  return found;
}

interface RowProps {
  readonly entry: Entry;
  readonly isChosen: boolean;
  readonly onChoose: (entry: Entry) => void;
}

function Row({ entry, isChosen, onChoose }: RowProps) {
  const { id, isSent, time, topic, payload, qos, retain, properties } = entry;
  const named = countOf(properties);
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the list has the keys
    // biome-ignore lint/a11y/useFocusableInteractive: the list has the focus, and names this one as the active one
    <div id={`message-${id}`} role="option" class="row message" aria-selected={isChosen} onClick={() => onChoose(entry)}>
      <time>{preciseTimeText(time)}</time>
      <span class="way">{isSent ? <span title="Published here">↑</span> : ""}</span>
      <code class="name">{topic}</code>
      <span class="value">{payload.length === 0 ? "(empty)" : lineOf(payload, 120)}</span>
      {named > 0 && (
        <span class="badge" title="Properties">
          {named}
        </span>
      )}
      {retain && <span class="badge warm">retained</span>}
      <span class="badge">QoS {qos}</span>
    </div>
  );
}

interface DetailProps {
  readonly entry: Entry;
  readonly onClose: () => void;
  readonly onRespond: () => void;
}

function Detail({ entry, onClose, onRespond }: DetailProps) {
  const [format, setFormat] = useState<Format>("auto");
  const { isSent, time, topic, payload, qos, retain, dup, properties } = entry;
  return (
    <>
      <header class="bar title">
        <button type="button" class="back" aria-label="Back to the messages" onClick={onClose}>
          ←
        </button>
        <h2 class="topic">{topic}</h2>
      </header>
      <div class="bar quiet">
        <time>{preciseTimeText(time)}</time>
        {isSent && <span class="badge">published here</span>}
        <span class="badge">QoS {qos}</span>
        {retain && <span class="badge warm">retained</span>}
        {dup && <span class="badge">DUP</span>}
        {!isSent && properties.responseTopic !== undefined && (
          <button type="button" onClick={onRespond}>
            Respond
          </button>
        )}
      </div>
      <Payload key={entry.id} bytes={payload} contentType={properties.contentType} fileName={topic} format={format} onFormat={setFormat} />
      <PropertiesOf key={`properties ${entry.id}`} properties={properties} />
    </>
  );
}

function lineOfEntry({ time, topic, payload, qos, retain, properties }: Entry): string {
  const text = textOf(payload);
  const shown =
    text === undefined ? { payload: base64Of(payload), payload_encoding: "base64" } : { payload: text, payload_encoding: "plain" };
  const named = Object.fromEntries(rowsOf(properties));
  return `${JSON.stringify({ time: new Date(time).toISOString(), topic, ...shown, qos, retain, properties: named })}\n`;
}
