/** Rights tried out: may ada publish to x/y? The broker answers by the rules that it asks for its clients, and says which one decides. */
import { useState } from "preact/hooks";
import { hrefOf } from "../route.ts";
import { ApiProblem } from "../session/api.ts";
import { sentence } from "../session/link.ts";
import { api } from "../session/session.ts";
import { Unable } from "./unable.tsx";

interface Judged {
  readonly result: "allow" | "deny";
  readonly reason: string;
  readonly rule?: string;
  readonly not_asked: readonly string[];
}

interface Question {
  readonly username: string;
  readonly clientid: string;
  readonly ip_address: string;
  readonly action: "publish" | "subscribe";
  readonly topic: string;
  readonly qos: 0 | 1 | 2;
  readonly retain: boolean;
}

type Outcome = { readonly question: Question; readonly judged: Judged } | { readonly error: unknown };

/** @param rest the name of a user that it begins with */
export function RightsTrial({ rest = "" }: { readonly rest: string | undefined }) {
  return <Trial key={rest} user={rest} />;
}

function Trial({ user }: { readonly user: string }) {
  const [question, setQuestion] = useState<Question>({
    username: user,
    clientid: "",
    ip_address: "",
    action: "publish",
    topic: "",
    qos: 0,
    retain: false,
  });
  const [outcome, setOutcome] = useState<Outcome>();
  const [isBusy, setBusy] = useState(false);
  const set = (change: Partial<Question>): void => setQuestion((before) => ({ ...before, ...change }));
  const ask = async (): Promise<void> => {
    setBusy(true);
    const { username, ip_address: address, clientid, ...wish } = question;
    const body = { ...wish, clientid, ...(username !== "" && { username }), ...(address !== "" && { ip_address: address }) };
    try {
      setOutcome({ question, judged: await api.value.send<Judged>("POST", "/authorization/check", body) });
    } catch (error) {
      setOutcome({ error });
    } finally {
      setBusy(false);
    }
  };
  const isPublish = question.action === "publish";
  return (
    <section class="page narrow" aria-label="Rights tried out">
      <form
        class="card user"
        aria-label="Try rights out"
        onSubmit={(event) => {
          event.preventDefault();
          void ask();
        }}
      >
        <div class="grid">
          <Text label="User name" value={question.username} hint="none: anonymous" onChange={(username) => set({ username })} />
          <label class="field">
            wants to
            <select value={question.action} onChange={({ currentTarget }) => set({ action: currentTarget.value as Question["action"] })}>
              <option value="publish">publish to</option>
              <option value="subscribe">subscribe to</option>
            </select>
          </label>
          <Text
            label={isPublish ? "Topic" : "Topic filter"}
            value={question.topic}
            hint={isPublish ? "home/door" : "home/#"}
            required
            onChange={(topic) => set({ topic })}
          />
          <label class="field">
            QoS
            <select value={question.qos} onChange={({ currentTarget }) => set({ qos: Number(currentTarget.value) as 0 | 1 | 2 })}>
              {[0, 1, 2].map((each) => (
                <option key={each} value={each}>
                  QoS {each}
                </option>
              ))}
            </select>
          </label>
          <label class="check">
            <input
              type="checkbox"
              checked={question.retain && isPublish}
              disabled={!isPublish}
              onChange={({ currentTarget }) => set({ retain: currentTarget.checked })}
            />
            Retain
          </label>
        </div>
        <details>
          <summary>Where and with which client ID</summary>
          <div class="grid">
            <Text
              label="Client ID"
              value={question.clientid}
              hint="for rules with %c, and bans"
              onChange={(clientid) => set({ clientid })}
            />
            <Text
              label="Address"
              value={question.ip_address}
              hint="for rules with ipaddr, and bans"
              onChange={(address) => set({ ip_address: address })}
            />
          </div>
        </details>
        <div class="buttons">
          <button type="submit" class="primary" disabled={isBusy}>
            {isBusy ? "Asking …" : "May it?"}
          </button>
        </div>
      </form>
      {outcome !== undefined && <Answer outcome={outcome} onRetry={() => void ask()} />}
    </section>
  );
}

interface TextProps {
  readonly label: string;
  readonly value: string;
  readonly hint: string;
  readonly required?: boolean;
  readonly onChange: (value: string) => void;
}

function Text({ label, value, hint, required = false, onChange }: TextProps) {
  return (
    <label class="field">
      {label}
      <input
        required={required}
        value={value}
        placeholder={hint}
        onInput={({ currentTarget }) => onChange(currentTarget.value)}
        autocapitalize="off"
        autocomplete="off"
        spellcheck={false}
      />
    </label>
  );
}

function Answer({ outcome, onRetry }: { readonly outcome: Outcome; readonly onRetry: () => void }) {
  if ("error" in outcome) {
    const { error } = outcome;
    if (!(error instanceof ApiProblem) || error.status !== 400) return <Unable error={error} onRetry={onRetry} />;
    return (
      <p class="problem" role="alert">
        {sentence(error)}
      </p>
    );
  }
  const { question, judged } = outcome;
  const { username, action, topic } = question;
  const isAllowed = judged.result === "allow";
  const line = lineOf(judged.rule);
  const who = username === "" ? "A client without a user name" : username;
  return (
    <section class={`card judged ${judged.result}`} aria-label="Answer" role="status">
      <p class="verdict">
        <span class={`badge ${isAllowed ? "good" : "bad"}`}>{isAllowed ? "allowed" : "denied"}</span> {who} {isAllowed ? "may" : "may not"}{" "}
        {action} to <code>{topic}</code>.
      </p>
      <p>
        {judged.reason} {line !== undefined && <a href={hrefOf("access", `users/=${username}`)}>Line {line} of its rules</a>}
      </p>
      {judged.not_asked.length > 0 && (
        <>
          <p class="quiet">Without the client’s login nobody else was asked, who could say something else:</p>
          <ul class="quiet">
            {judged.not_asked.map((each) => (
              <li key={each}>{each}</li>
            ))}
          </ul>
        </>
      )}
    </section>
  );
}

/** Where a rule stands among the lines of its user; undefined for one of somebody else, and for none. */
function lineOf(rule: string | undefined): number | undefined {
  const [, index] = /^acl\[(\d+)\]$/.exec(rule ?? "") ?? [];
  return index === undefined ? undefined : Number(index) + 1;
}
