/** Publishes a message, or a request whose response is shown. */
import { useSignal } from "@preact/signals";
import { useId, useState } from "preact/hooks";
import type { Message } from "../../client/index.ts";
import { timeText } from "../parts/numbers.ts";
import { lineOf } from "../payload/formats.ts";
import { sentence } from "../session/link.ts";
import { link } from "../session/session.ts";
import { type Draft, ENCODING_NAMES, ENCODINGS, type Encoding, NEW_DRAFT, payloadOf, propertiesOf } from "./draft.ts";
import { type Entry, log } from "./log.ts";

interface Props {
  /** Fixed; without it there is a field. */
  readonly topic?: string;
  /** What is written is the response to this request. */
  readonly request?: Entry | undefined;
}

type Outcome =
  | { readonly kind: "done"; readonly text: string }
  | { readonly kind: "bad"; readonly text: string }
  | { readonly kind: "response"; readonly response: Message };

/** Of PUBACK: nobody was subscribed. */
const NO_MATCHING_SUBSCRIBERS = 0x10;

export function PublishForm({ topic, request }: Props) {
  const [draft, setDraft] = useState<Draft>({ ...NEW_DRAFT, topic: topic ?? "" });
  const [isAsking, setAsking] = useState(false);
  const [isBusy, setBusy] = useState(false);
  const outcome = useSignal<Outcome | undefined>(undefined);
  const isOpen = link.state.value.kind === "open";
  const set = (change: Partial<Draft>): void => setDraft((before) => ({ ...before, ...change }));

  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    setBusy(true);
    outcome.value = undefined;
    try {
      outcome.value = await (isAsking ? ask(draft) : publish(draft, request));
    } catch (error) {
      outcome.value = { kind: "bad", text: `${draft.topic} was not published: ${sentence(error)}` };
    } finally {
      setBusy(false);
    }
  };

  return (
    <form class="publish" aria-label={request === undefined ? "Publish" : "Respond"} onSubmit={submit}>
      {topic === undefined && (
        <label class="field">
          Topic
          <input
            required
            value={draft.topic}
            onInput={({ currentTarget }) => set({ topic: currentTarget.value })}
            autocapitalize="off"
            autocomplete="off"
            spellcheck={false}
          />
        </label>
      )}
      <label class="field">
        Payload
        <textarea
          rows={3}
          spellcheck={false}
          value={draft.payload}
          onInput={({ currentTarget }) => set({ payload: currentTarget.value })}
        />
      </label>
      <div class="bar">
        <select
          aria-label="Payload as"
          value={draft.encoding}
          onChange={({ currentTarget }) => set({ encoding: currentTarget.value as Encoding })}
        >
          {ENCODINGS.map((each) => (
            <option key={each} value={each}>
              {ENCODING_NAMES[each]}
            </option>
          ))}
        </select>
        <select aria-label="QoS" value={draft.qos} onChange={({ currentTarget }) => set({ qos: Number(currentTarget.value) as 0 | 1 | 2 })}>
          {[0, 1, 2].map((qos) => (
            <option key={qos} value={qos}>
              QoS {qos}
            </option>
          ))}
        </select>
        <label class="check">
          <input type="checkbox" checked={draft.retain} onChange={({ currentTarget }) => set({ retain: currentTarget.checked })} />
          Retain
        </label>
        {request === undefined && (
          <label class="check" title="Publishes a request, and waits for the response (MQTT 5.0)">
            <input type="checkbox" checked={isAsking} onChange={({ currentTarget }) => setAsking(currentTarget.checked)} />
            Ask
          </label>
        )}
        <span class="gap" />
        <button type="submit" class="primary" disabled={!isOpen || isBusy}>
          {request !== undefined ? "Respond" : isAsking ? (isBusy ? "Waiting …" : "Ask") : "Publish"}
        </button>
      </div>
      <details>
        <summary>Properties</summary>
        <Properties draft={draft} set={set} isAsking={isAsking} />
      </details>
      <OutcomeLine outcome={outcome.value} />
    </form>
  );
}

async function publish(draft: Draft, request: Entry | undefined): Promise<Outcome> {
  const { topic, qos, retain } = draft;
  const { correlationData } = request?.properties ?? {};
  const payload = payloadOf(draft);
  const properties = { ...propertiesOf(draft), ...(correlationData && { correlationData }) };
  const { reasonCode } = await clientNow().publish(topic, payload, { qos, retain, ...properties });
  log.sent(topic, payload, qos, retain, properties);
  const became = qos === 0 ? "was sent" : reasonCode === NO_MATCHING_SUBSCRIBERS ? "was published; nobody is subscribed" : "was published";
  return { kind: "done", text: `${timeText(Date.now())} ${topic} ${became}.` };
}

async function ask(draft: Draft): Promise<Outcome> {
  const { topic, qos } = draft;
  const payload = payloadOf(draft);
  const { responseTopic, correlationData, ...properties } = propertiesOf(draft);
  log.sent(topic, payload, qos, false, properties);
  return { kind: "response", response: await clientNow().request(topic, payload, { qos, timeoutMs: 10_000, ...properties }) };
}

function clientNow() {
  const { client } = link;
  if (client === undefined) throw new Error("There is no connection.");
  return client;
}

function OutcomeLine({ outcome }: { readonly outcome: Outcome | undefined }) {
  if (outcome === undefined) return <p class="outcome" role="status" />;
  if (outcome.kind === "response") {
    const { topic, payload } = outcome.response;
    return (
      <div class="outcome" role="status">
        <span class="quiet">Response, {topic}:</span> <code>{payload.length === 0 ? "empty" : lineOf(payload, 2000)}</code>
      </div>
    );
  }
  return (
    <p class={`outcome ${outcome.kind}`} role={outcome.kind === "bad" ? "alert" : "status"}>
      {outcome.text}
    </p>
  );
}

interface PropertiesProps {
  readonly draft: Draft;
  readonly set: (change: Partial<Draft>) => void;
  readonly isAsking: boolean;
}

const TEXTS = [
  ["contentType", "Content Type", "application/json"],
  ["messageExpiryInterval", "Message Expiry (seconds)", "never"],
  ["responseTopic", "Response Topic", ""],
  ["correlationData", "Correlation Data (text)", ""],
] as const;

function Properties({ draft, set, isAsking }: PropertiesProps) {
  const id = useId();
  const pairs = draft.userProperties;
  const change = (index: number, pair: readonly [string, string]): void =>
    set({ userProperties: pairs.map((each, at) => (at === index ? pair : each)) });
  return (
    <div class="grid">
      {TEXTS.map(([name, title, placeholder]) => (
        <label class="field" key={name}>
          {title}
          <input
            value={draft[name]}
            placeholder={placeholder}
            disabled={isAsking && (name === "responseTopic" || name === "correlationData")}
            inputMode={name === "messageExpiryInterval" ? "numeric" : "text"}
            onInput={({ currentTarget }) => set({ [name]: currentTarget.value })}
            autocapitalize="off"
            spellcheck={false}
          />
        </label>
      ))}
      <label class="check">
        <input type="checkbox" checked={draft.isUtf8} onChange={({ currentTarget }) => set({ isUtf8: currentTarget.checked })} />
        The payload is UTF-8 (Payload Format Indicator)
      </label>
      <fieldset class="pairs">
        <legend>User Properties</legend>
        {pairs.map(([name, value], index) => (
          <div class="bar" key={`${id}-${index}`}>
            <input aria-label="Name" value={name} onInput={({ currentTarget }) => change(index, [currentTarget.value, value])} />
            <input aria-label="Value" value={value} onInput={({ currentTarget }) => change(index, [name, currentTarget.value])} />
            <button
              type="button"
              class="plain"
              aria-label={`Remove the User Property ${name}`}
              onClick={() => set({ userProperties: pairs.filter((_, at) => at !== index) })}
            >
              ×
            </button>
          </div>
        ))}
        <button type="button" onClick={() => set({ userProperties: [...pairs, ["", ""]] })}>
          Add
        </button>
      </fieldset>
    </div>
  );
}
