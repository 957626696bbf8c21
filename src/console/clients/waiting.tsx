/** Messages of QoS 1 and 2 of a client that it has not acknowledged: those that were sent, and those that wait to be sent. */
import { useEffect, useRef, useState } from "preact/hooks";
import { bytesOfBase64 } from "../parts/bytes.ts";
import { Refused } from "../parts/needs-token.tsx";
import { countText, sizeText } from "../parts/numbers.ts";
import { type Format, lineOf } from "../payload/formats.ts";
import { Payload } from "../payload/payload.tsx";
import type { Api } from "../session/api.ts";
import { api } from "../session/session.ts";
import { type ClientFacts, pathOf } from "./client-facts.ts";

interface Message {
  readonly msgid: number;
  readonly topic: string;
  readonly qos: 1 | 2;
  readonly retain: boolean;
  /** Empty where it is not known. */
  readonly from_clientid: string;
  readonly payload_size: number;
  readonly payload: string;
}

interface WaitingPage {
  readonly data: readonly Message[];
  readonly meta: { readonly hasnext: boolean; readonly position?: number };
}

/** Of one request. */
const LIMIT = 50;

const WORDS = {
  inflight: { title: "In flight", hint: "Sent, and not acknowledged yet." },
  mqueue: { title: "Waiting", hint: "To be sent, when it is connected and has acknowledged what is in flight." },
} as const;

interface Props {
  readonly client: ClientFacts;
  readonly kind: keyof typeof WORDS;
  readonly count: number;
}

export function Waiting({ client, kind, count }: Props) {
  const { title, hint } = WORDS[kind];
  const [isOpen, setOpen] = useState(false);
  return (
    <details class="card" onToggle={({ currentTarget }) => setOpen(currentTarget.open)}>
      <summary>
        {title} <span class={count > 0 ? "warm" : "quiet"}>{countText(count)}</span>
      </summary>
      <p class="quiet">{hint}</p>
      {isOpen && <Messages client={client} kind={kind} count={count} />}
    </details>
  );
}

function Messages({ client, kind, count }: Props) {
  const now = api.value;
  const path = pathOf(client.clientid, `/${kind}_messages`);
  const [pages, setPages] = useState<readonly WaitingPage[]>([]);
  const [error, setError] = useState<unknown>();
  const asking = useRef(new AbortController());
  const ask = async (from: Api, position?: number): Promise<void> => {
    asking.current.abort();
    asking.current = new AbortController();
    const { signal } = asking.current;
    try {
      const page = await from.get<WaitingPage>(path, { limit: LIMIT, position, payload: "base64" }, signal);
      if (signal.aborted) return;
      setPages((before) => (position === undefined ? [page] : [...before, page]));
      setError(undefined);
    } catch (problem) {
      if (!signal.aborted) setError(problem);
    }
  };
  // Anew when there are others: those that were shown further down may be gone.
  useEffect(() => {
    void ask(now);
    return () => asking.current.abort();
  }, [now, path, count]);
  const messages = pages.flatMap(({ data }) => data);
  const { hasnext = false, position } = pages.at(-1)?.meta ?? {};
  if (error !== undefined) return <Refused error={error} scope="read" onRetry={() => void ask(now)} />;
  if (pages.length === 0) return <p class="quiet">Loading …</p>;
  if (messages.length === 0) return <p class="quiet">None.</p>;
  return (
    <>
      <ul class="lines" aria-label={`Messages: ${WORDS[kind].title}`}>
        {messages.map((message) => (
          <Line key={message.msgid} message={message} />
        ))}
      </ul>
      {hasnext && (
        <button type="button" onClick={() => void ask(now, position)}>
          More messages
        </button>
      )}
    </>
  );
}

function Line({ message }: { readonly message: Message }) {
  const { msgid, topic, qos, retain, from_clientid: publisher, payload_size: size, payload } = message;
  const [isOpen, setOpen] = useState(false);
  const [format, setFormat] = useState<Format>("auto");
  const bytes = bytesOfBase64(payload) ?? new Uint8Array();
  return (
    <li>
      <details onToggle={({ currentTarget }) => setOpen(currentTarget.open)}>
        <summary class="row">
          <code class="name">{topic}</code>
          <span class="value">{size === 0 ? "(empty)" : lineOf(bytes, 120)}</span>
          {retain && <span class="badge warm">retained</span>}
          <span class="badge">QoS {qos}</span>
        </summary>
        {isOpen && (
          <>
            <p class="quiet">
              Packet Identifier {msgid}, {sizeText(size)}
              {publisher !== "" && `, published by ${publisher}`}
            </p>
            <Payload bytes={bytes} fileName={topic} format={format} onFormat={setFormat} />
          </>
        )}
      </details>
    </li>
  );
}
