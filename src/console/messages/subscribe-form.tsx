/** Subscriptions of the view of messages: another one, and those that there are with what the broker says of them. */
import { useState } from "preact/hooks";
import { say } from "../parts/question.tsx";
import { sentence } from "../session/link.ts";
import { log, type Standing, type Wanted } from "./log.ts";

const NEW: Wanted = { filter: "", qos: 1, noLocal: false, retainAsPublished: false, retainHandling: 0 };

const RETAIN_HANDLING = ["Send retained messages", "Send them if the subscription is new", "Send none"];

export function SubscribeForm() {
  const [wanted, setWanted] = useState(NEW);
  const set = (change: Partial<Wanted>): void => setWanted((before) => ({ ...before, ...change }));
  const submit = (event: Event): void => {
    event.preventDefault();
    void log.subscribe(wanted);
    set({ filter: "" });
  };
  return (
    <form class="subscribe" aria-label="Subscribe" onSubmit={submit}>
      <div class="bar">
        <input
          class="grow"
          required
          value={wanted.filter}
          onInput={({ currentTarget }) => set({ filter: currentTarget.value })}
          aria-label="Topic filter"
          placeholder="Topic filter, such as home/+/temperature"
          autocapitalize="off"
          autocomplete="off"
          spellcheck={false}
        />
        <select
          aria-label="QoS"
          value={wanted.qos}
          onChange={({ currentTarget }) => set({ qos: Number(currentTarget.value) as 0 | 1 | 2 })}
        >
          {[0, 1, 2].map((qos) => (
            <option key={qos} value={qos}>
              QoS {qos}
            </option>
          ))}
        </select>
        <button type="submit" class="primary">
          Subscribe
        </button>
      </div>
      <details>
        <summary>Options</summary>
        <div class="grid">
          <label class="check">
            <input type="checkbox" checked={wanted.noLocal} onChange={({ currentTarget }) => set({ noLocal: currentTarget.checked })} />
            Not what is published here (No Local)
          </label>
          <label class="check">
            <input
              type="checkbox"
              checked={wanted.retainAsPublished}
              onChange={({ currentTarget }) => set({ retainAsPublished: currentTarget.checked })}
            />
            Retain As Published
          </label>
          <label class="field">
            Retained messages
            <select
              value={wanted.retainHandling}
              onChange={({ currentTarget }) => set({ retainHandling: Number(currentTarget.value) as 0 | 1 | 2 })}
            >
              {RETAIN_HANDLING.map((words, value) => (
                <option key={words} value={value}>
                  {words}
                </option>
              ))}
            </select>
          </label>
        </div>
      </details>
      <Subscriptions />
    </form>
  );
}

function Subscriptions() {
  const all = log.subscriptions.value;
  if (all.length === 0) return null;
  const end = (filter: string): void => {
    log.unsubscribe(filter).catch((error) => say(`${filter} was not unsubscribed: ${sentence(error)}`, true));
  };
  return (
    <ul class="chips" aria-label="Subscriptions">
      {all.map((wanted) => {
        const { filter } = wanted;
        const standing = log.standing.value.get(filter);
        return (
          <li key={filter} data-bad={standing?.kind === "refused"}>
            <code>{filter}</code>
            <span class="badge">{wordsOf(standing)}</span>
            {wanted.noLocal && <span class="badge">No Local</span>}
            <button type="button" class="plain" aria-label={`Unsubscribe ${filter}`} onClick={() => end(filter)}>
              ×
            </button>
            {standing?.kind === "refused" && (
              <p class="problem" role="alert">
                {filter} was not subscribed: {standing.problem}
              </p>
            )}
          </li>
        );
      })}
    </ul>
  );
}

function wordsOf(standing: Standing | undefined): string {
  if (standing === undefined) return "not connected";
  if (standing.kind === "asked") return "asking";
  return standing.kind === "granted" ? `QoS ${standing.qos}` : "refused";
}
