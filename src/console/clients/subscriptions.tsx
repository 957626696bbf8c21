/** What a client is subscribed to; and to subscribe and unsubscribe it on its behalf. */
import { useState } from "preact/hooks";
import { Refused } from "../parts/needs-token.tsx";
import { countText } from "../parts/numbers.ts";
import { usePolled } from "../parts/polled.ts";
import { asked, say } from "../parts/question.tsx";
import { sentence } from "../session/link.ts";
import { api } from "../session/session.ts";
import { type ClientFacts, pathOf } from "./client-facts.ts";

interface Subscribed {
  readonly topic: string;
  readonly qos: 0 | 1 | 2;
  readonly nl: 0 | 1;
  readonly rap: 0 | 1;
  readonly rh: 0 | 1 | 2;
}

/** More are shown when somebody asks for them. */
const SHOWN = 100;

interface Props {
  readonly client: ClientFacts;
  readonly onDone: () => void;
}

export function Subscriptions({ client, onDone }: Props) {
  const { clientid, subscriptions_cnt: count, connected } = client;
  const now = api.value;
  const path = pathOf(clientid, "/subscriptions");
  const { answer, error, again } = usePolled((signal) => now.get<readonly Subscribed[]>(path, {}, signal), [now, path], 0, [count]);
  const [shown, setShown] = useState(SHOWN);
  const done = (): void => {
    again();
    onDone();
  };
  const end = async (topic: string): Promise<void> => {
    const text = `${clientid} gets no more messages for ${topic}. It is not told, and may subscribe again.`;
    if (!(await asked("Unsubscribe?", text, "Unsubscribe"))) return;
    try {
      await now.send("POST", pathOf(clientid, "/unsubscribe"), { topic });
    } catch (error) {
      say(`${topic} was not unsubscribed: ${sentence(error)}`, true);
    }
    done();
  };
  return (
    <section class="card" aria-labelledby="subscriptions-title">
      <h3 id="subscriptions-title">
        Subscriptions <span class="quiet">{countText(count)}</span>
      </h3>
      {error !== undefined && <Refused error={error} scope="read" onRetry={again} />}
      {answer?.length === 0 && <p class="quiet">It is subscribed to nothing.</p>}
      {answer !== undefined && answer.length > 0 && (
        <ul class="lines" aria-label="Subscriptions">
          {answer.slice(0, shown).map(({ topic, qos, nl, rap, rh }) => (
            <li key={topic} class="bar">
              <code class="grow">{topic}</code>
              <span class="badge">QoS {qos}</span>
              {nl === 1 && <span class="badge">No Local</span>}
              {rap === 1 && <span class="badge">Retain As Published</span>}
              {rh > 0 && <span class="badge">Retain Handling {rh}</span>}
              <button
                type="button"
                class="plain"
                disabled={!connected}
                aria-label={`Unsubscribe ${topic}`}
                title={connected ? "Unsubscribe" : "Only a connected client can be unsubscribed"}
                onClick={() => end(topic)}
              >
                ×
              </button>
            </li>
          ))}
        </ul>
      )}
      {answer !== undefined && answer.length > shown && (
        <button type="button" onClick={() => setShown(shown * 10)}>
          {countText(answer.length - shown)} more
        </button>
      )}
      {connected ? <Add clientId={clientid} onDone={done} /> : <small>While it is away it can't be subscribed or unsubscribed.</small>}
    </section>
  );
}

function Add({ clientId, onDone }: { readonly clientId: string; readonly onDone: () => void }) {
  const [topic, setTopic] = useState("");
  const [qos, setQos] = useState(0);
  const [problem, setProblem] = useState<string>();
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    try {
      await api.value.send("POST", pathOf(clientId, "/subscribe"), { topic, qos });
      setTopic("");
      setProblem(undefined);
    } catch (error) {
      setProblem(`${topic} was not subscribed: ${sentence(error)}`);
    }
    onDone();
  };
  return (
    <form class="bar" aria-label="Subscribe on its behalf" onSubmit={submit}>
      <input
        class="grow"
        required
        value={topic}
        onInput={({ currentTarget }) => setTopic(currentTarget.value)}
        placeholder="Subscribe it to a filter"
        aria-label="Topic filter"
        autocapitalize="off"
        autocomplete="off"
        spellcheck={false}
      />
      <label>
        <span class="unseen">QoS</span>
        <select value={qos} onChange={({ currentTarget }) => setQos(Number(currentTarget.value))}>
          {[0, 1, 2].map((each) => (
            <option key={each} value={each}>
              QoS {each}
            </option>
          ))}
        </select>
      </label>
      <button type="submit">Subscribe</button>
      {problem !== undefined && (
        <p class="problem" role="alert">
          {problem}
        </p>
      )}
    </form>
  );
}
