/** One topic: its value, what it was, publishing to it, and everything below it. */
import { useRef, useState } from "preact/hooks";
import { PublishForm } from "../messages/publish-form.tsx";
import { saveAs } from "../parts/files.ts";
import { countText, preciseTimeText, rateText } from "../parts/numbers.ts";
import { asked, say } from "../parts/question.tsx";
import type { Format } from "../payload/formats.ts";
import { Payload } from "../payload/payload.tsx";
import { PropertiesOf } from "../payload/properties.tsx";
import { History } from "./history.tsx";
import { clear, jsonOf, linesOf, topicsOf } from "./subtree.ts";
import type { TopicNode } from "./tree.ts";
import type { Value } from "./value.ts";
import { watch } from "./watch.ts";

export function TopicDetail({ topic }: { readonly topic: string }) {
  watch.moment.value;
  const [format, setFormat] = useState<Format>("auto");
  /** A value of the history that is looked at instead of the last one. */
  const [held, setHeld] = useState<Value>();
  const heading = useRef<HTMLHeadingElement>(null);
  const node = watch.tree.find(topic);
  const values = watch.histories.values(topic);
  const value = held ?? node?.value;
  const before = held === undefined ? node?.previous : values[values.indexOf(held) - 1];
  return (
    <>
      <header class="bar title">
        <button type="button" class="back" aria-label="Back to the topics" onClick={() => watch.look(undefined)}>
          ←
        </button>
        <h2 ref={heading} class="topic">
          {topic}
        </h2>
        <button type="button" onClick={() => copy(topic)}>
          Copy
        </button>
        <PinButton topic={topic} />
      </header>
      {node === undefined ? <p class="nothing">No message of it has come since the page was opened.</p> : <Facts node={node} />}
      {value !== undefined && (
        <>
          <div class="bar quiet">
            <time>{preciseTimeText(value.time)}</time>
            <span class="badge">QoS {value.qos}</span>
            {value.retain && <span class="badge warm">retained</span>}
            {held !== undefined && (
              <button type="button" onClick={() => setHeld(undefined)}>
                Back to the last value
              </button>
            )}
          </div>
          {value.payload === undefined ? (
            <p class="nothing">It was not kept: too much came. It is kept from the next message on.</p>
          ) : (
            <Payload
              bytes={value.payload}
              before={before?.payload}
              contentType={value.properties.contentType}
              fileName={topic}
              format={format}
              onFormat={setFormat}
            />
          )}
          {value.isStripped ? (
            <p class="nothing">Its properties were not kept: too much came.</p>
          ) : (
            <PropertiesOf properties={value.properties} />
          )}
        </>
      )}
      <History values={values} came={watch.histories.count(topic)} held={held} onHold={setHeld} />
      <details class="card" open>
        <summary>Publish</summary>
        <PublishForm key={topic} topic={topic} />
      </details>
      {node !== undefined && <Subtree node={node} />}
    </>
  );
}

function PinButton({ topic }: { readonly topic: string }) {
  const isPinned = watch.pinned.value.includes(topic);
  return (
    <button type="button" aria-pressed={isPinned} onClick={() => watch.pin(topic, !isPinned)}>
      Pin
    </button>
  );
}

function Facts({ node }: { readonly node: TopicNode }) {
  watch.moment.value;
  const rows = [
    ["Messages", countText(node.count)],
    ["Rate", rateText(node.rate(Date.now()))],
    ...(node.topicsBelow > 0
      ? [
          ["Topics below", countText(node.topicsBelow)],
          ["Messages with those", countText(node.total)],
        ]
      : []),
  ] as const;
  return (
    <dl class="facts">
      {rows.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function Subtree({ node }: { readonly node: TopicNode }) {
  watch.moment.value;
  const retained = topicsOf(node, ({ isRetained }) => isRetained);
  const isAlone = node.topicsBelow === 0;
  const clearThem = async (): Promise<void> => {
    const many = retained.length === 1 ? retained[0]!.topic : `${countText(retained.length)} topics, ${node.topic} and below`;
    const text = `The broker forgets the retained message of ${many}. Subscribers are sent an empty message. It can't be undone.`;
    if (await asked("Clear retained messages?", text, "Clear")) await clear(retained);
  };
  return (
    <div class="buttons wrap">
      <button type="button" onClick={() => copy(jsonOf(node))}>
        {isAlone ? "Copy value" : "Copy all as JSON"}
      </button>
      <button type="button" onClick={() => saveAs(`${node.topic}.ndjson`, linesOf(node))}>
        {isAlone ? "Save as NDJSON" : `Save ${countText(node.topicsBelow + (node.value === undefined ? 0 : 1))} topics as NDJSON`}
      </button>
      {retained.length > 0 && (
        <button type="button" class="danger" onClick={clearThem}>
          {retained.length === 1 ? "Clear retained message" : `Clear ${countText(retained.length)} retained messages`} …
        </button>
      )}
    </div>
  );
}

async function copy(text: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
    say("Copied.");
  } catch {
    say("The browser did not let it be copied.", true);
  }
}
