/** A token for the HTTP API, made in this browser and shown once: the broker is given its digest by its operator. */
import { useState } from "preact/hooks";
import { API_SCOPES, type ApiScope, makeApiToken } from "../../auth/api-token.ts";
import { say } from "../parts/question.tsx";
import { login } from "../session/session.ts";

const SCOPE_WORDS: Readonly<Record<ApiScope, string>> = {
  publish: "to publish, to ask clients, and to send one a message",
  read: "to look at clients, subscriptions, retained messages and figures, and to listen",
  admin: "everything: also to end connections, to watch packets, users and bans",
};

interface Made {
  readonly token: string;
  /** JSON of the entry. */
  readonly entry: string;
}

export function Tokens() {
  const [made, setMade] = useState<Made>();
  return (
    <section class="page narrow" aria-label="Tokens">
      <p class="quiet">
        Programs use the HTTP API with a token. It is made here, in this browser, and shown once; the broker learns only its digest, from
        the secret <code>API_TOKENS</code>, which its operator sets. So the broker can't list tokens, and one is withdrawn by taking its
        entry out.
      </p>
      {crypto.subtle === undefined ? (
        <p class="nothing">
          Browsers make no tokens on a page that came unencrypted over a network. Open the console by HTTPS or on the machine of the broker,
          or use <code>npx durable-mqtt api-token NAME --scope read</code>.
        </p>
      ) : (
        <TokenForm onMade={setMade} />
      )}
      {made !== undefined && <Shown made={made} onForget={() => setMade(undefined)} />}
    </section>
  );
}

function TokenForm({ onMade }: { readonly onMade: (made: Made) => void }) {
  const [name, setName] = useState("");
  const [scopes, setScopes] = useState<readonly ApiScope[]>(["read"]);
  const [isEverywhere, setEverywhere] = useState(false);
  const { namespace } = login.value;
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    const { token, entry } = await makeApiToken({ name, scopes, namespaces: isEverywhere ? "*" : [namespace] });
    onMade({ token, entry: JSON.stringify(entry) });
    setName("");
  };
  return (
    <form class="card user" aria-label="Make a token" onSubmit={submit}>
      <label class="field">
        Name
        <input
          required
          maxLength={64}
          pattern="[^:]+"
          title="1 to 64 characters, no colon"
          value={name}
          placeholder="What uses it, such as backend"
          onInput={({ currentTarget }) => setName(currentTarget.value)}
          autocapitalize="off"
          autocomplete="off"
          spellcheck={false}
        />
      </label>
      <fieldset class="pairs">
        <legend>What it is for</legend>
        {API_SCOPES.map((scope) => (
          <label class="check" key={scope}>
            <input
              type="checkbox"
              checked={scopes.includes(scope)}
              onChange={({ currentTarget }) =>
                setScopes(API_SCOPES.filter((each) => (each === scope ? currentTarget.checked : scopes.includes(each))))
              }
            />
            <span>
              <code>{scope}</code> <span class="quiet">{SCOPE_WORDS[scope]}</span>
            </span>
          </label>
        ))}
      </fieldset>
      <fieldset class="pairs">
        <legend>Where</legend>
        <label class="check">
          <input type="radio" name="where" checked={!isEverywhere} onChange={() => setEverywhere(false)} />
          <span>
            In the namespace <code>{namespace}</code>
          </span>
        </label>
        <label class="check">
          <input type="radio" name="where" checked={isEverywhere} onChange={() => setEverywhere(true)} />
          In all namespaces
        </label>
      </fieldset>
      <div class="buttons">
        {scopes.length === 0 && <small>A token for nothing opens nothing: choose what it is for.</small>}
        <span class="gap" />
        <button type="submit" class="primary" disabled={scopes.length === 0}>
          Make a token
        </button>
      </div>
    </form>
  );
}

function Shown({ made: { token, entry }, onForget }: { readonly made: Made; readonly onForget: () => void }) {
  return (
    <section class="card made" aria-labelledby="made-title">
      <h3 id="made-title">The token, which is not shown again</h3>
      <Copied label="Token" text={token} />
      <Copied label="Its entry for API_TOKENS" text={entry} />
      <p class="quiet">
        <code>API_TOKENS</code> is a JSON array of entries: put this one beside those that are in it, <code>[{"{…}, {…}"}]</code>, and set
        it: <code>npx wrangler secret put API_TOKENS</code> for a deployed broker, the environment variable for <code>npm start</code>.
      </p>
      <div class="buttons">
        <button type="button" onClick={onForget}>
          I have it: forget it here
        </button>
      </div>
    </section>
  );
}

function Copied({ label, text }: { readonly label: string; readonly text: string }) {
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(text);
      say("Copied.");
    } catch {
      say("The browser did not let it be copied: select it and copy it yourself.", true);
    }
  };
  return (
    <div class="bar password">
      <label class="field grow">
        {label}
        <input class="mono" readOnly value={text} onFocus={({ currentTarget }) => currentTarget.select()} />
      </label>
      <button type="button" aria-label={`Copy: ${label}`} onClick={copy}>
        Copy
      </button>
    </div>
  );
}
