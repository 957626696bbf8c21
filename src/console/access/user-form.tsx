/** One user, or a new one: the password, which is set and never shown, and the rights as lines. */
import { useState } from "preact/hooks";
import { momentText } from "../parts/numbers.ts";
import { usePolled } from "../parts/polled.ts";
import { asked, say } from "../parts/question.tsx";
import { hrefOf } from "../route.ts";
import { ApiProblem } from "../session/api.ts";
import { sentence } from "../session/link.ts";
import { api } from "../session/session.ts";
import { linesOf, parseLines } from "./rule-lines.ts";
import { Unable } from "./unable.tsx";
import { pathOf, USERS, type UserFacts } from "./user-facts.ts";

interface Props {
  /** Undefined: a new one. */
  readonly name: string | undefined;
  readonly onDone: () => void;
}

export function UserForm({ name, onDone }: Props) {
  return name === undefined ? <NewUser onDone={onDone} /> : <KnownUser name={name} onDone={onDone} />;
}

function Head({ title }: { readonly title: string }) {
  return (
    <header class="bar title">
      <a class="back button" href={hrefOf("access", "users")} aria-label="Back to the users">
        ←
      </a>
      <h2 class="topic">{title}</h2>
    </header>
  );
}

function NewUser({ onDone }: Pick<Props, "onDone">) {
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const [rights, setRights] = useState<RightsDraft>({ isSuperuser: false, lines: "" });
  const [problem, setProblem] = useState<string>();
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    const done = await saved(rights, (given) => api.value.send("POST", USERS, { user_id: name, password, ...given }));
    setProblem(done === undefined ? undefined : `${name} was not added: ${done}`);
    if (done !== undefined) return;
    say(`${name} was added.`);
    location.hash = hrefOf("access", `users/=${name}`);
    onDone();
  };
  return (
    <>
      <Head title="New user" />
      <form class="user" aria-label="New user" onSubmit={submit}>
        <label class="field">
          User name
          <input
            required
            value={name}
            onInput={({ currentTarget }) => setName(currentTarget.value)}
            autocapitalize="off"
            autocomplete="off"
            spellcheck={false}
          />
        </label>
        <PasswordField value={password} onChange={setPassword} required />
        <RightsFields rights={rights} onChange={setRights} />
        <Problem text={problem} />
        <div class="buttons">
          <button type="submit" class="primary">
            Add
          </button>
        </div>
      </form>
    </>
  );
}

function KnownUser({ name, onDone }: { readonly name: string; readonly onDone: () => void }) {
  const now = api.value;
  const { answer, error, again } = usePolled((signal) => now.get<UserFacts>(pathOf(name), {}, signal), [now, name]);
  const isGone = error instanceof ApiProblem && error.status === 404;
  const done = (): void => {
    again();
    onDone();
  };
  return (
    <>
      <Head title={name} />
      {isGone && <p class="nothing">There is no user of this name any more.</p>}
      {error !== undefined && !isGone && <Unable error={error} onRetry={again} />}
      {answer === undefined && error === undefined && <p class="nothing">Loading …</p>}
      {answer !== undefined && !isGone && (
        <>
          <dl class="facts">
            <div>
              <dt>Added</dt>
              <dd>{momentText(answer.created_at)}</dd>
            </div>
            <div>
              <dt>Changed</dt>
              <dd>{momentText(answer.updated_at)}</dd>
            </div>
          </dl>
          <Rights key={answer.updated_at} user={answer} onDone={done} />
          <NewPassword user={answer} onDone={done} />
          <Remove name={name} onDone={onDone} />
        </>
      )}
    </>
  );
}

function Rights({ user, onDone }: { readonly user: UserFacts; readonly onDone: () => void }) {
  const [rights, setRights] = useState<RightsDraft>({ isSuperuser: user.is_superuser, lines: linesOf(user.acl) });
  const [problem, setProblem] = useState<string>();
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    const why = await saved(rights, (given) => api.value.send("PUT", pathOf(user.user_id), given));
    setProblem(why === undefined ? undefined : `The rights were not changed: ${why}`);
    if (why !== undefined) return;
    say(`The rights of ${user.user_id} were changed, and hold at once.`);
    onDone();
  };
  return (
    <form class="card user" aria-label="Rights" onSubmit={submit}>
      <h3>Rights</h3>
      <RightsFields rights={rights} onChange={setRights} />
      <Problem text={problem} />
      <div class="buttons">
        <a href={hrefOf("access", `rights/${user.user_id}`)}>Try them out</a>
        <span class="gap" />
        <button type="submit" class="primary">
          Save rights
        </button>
      </div>
    </form>
  );
}

function NewPassword({ user, onDone }: { readonly user: UserFacts; readonly onDone: () => void }) {
  const [password, setPassword] = useState("");
  const [problem, setProblem] = useState<string>();
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    const why = await saved(undefined, () => api.value.send("PUT", pathOf(user.user_id), { password }));
    setProblem(why === undefined ? undefined : `The password was not changed: ${why}`);
    if (why !== undefined) return;
    setPassword("");
    say(`The password of ${user.user_id} was changed.`);
    onDone();
  };
  return (
    <form class="card user" aria-label="Password" onSubmit={submit}>
      <h3>Password</h3>
      <PasswordField value={password} onChange={setPassword} required />
      <small>Connections that were made with the old one end.</small>
      <Problem text={problem} />
      <div class="buttons">
        <span class="gap" />
        <button type="submit">Change password</button>
      </div>
    </form>
  );
}

function Remove({ name, onDone }: { readonly name: string; readonly onDone: () => void }) {
  const remove = async (): Promise<void> => {
    const text = `${name} can't log in any more, and its connections end. It can't be undone.`;
    if (!(await asked(`Remove ${name}?`, text, "Remove"))) return;
    try {
      await api.value.send("DELETE", pathOf(name));
      say(`${name} was removed.`);
      location.hash = hrefOf("access", "users");
    } catch (error) {
      say(`${name} was not removed: ${sentence(error)}`, true);
    }
    onDone();
  };
  return (
    <div class="buttons">
      <button type="button" class="danger" onClick={remove}>
        Remove user …
      </button>
    </div>
  );
}

interface RightsDraft {
  readonly isSuperuser: boolean;
  readonly lines: string;
}

interface RightsFieldsProps {
  readonly rights: RightsDraft;
  readonly onChange: (rights: RightsDraft) => void;
}

function RightsFields({ rights, onChange }: RightsFieldsProps) {
  const { isSuperuser, lines } = rights;
  return (
    <>
      <label class="check">
        <input
          type="checkbox"
          checked={isSuperuser}
          onChange={({ currentTarget }) => onChange({ ...rights, isSuperuser: currentTarget.checked })}
        />
        Superuser: may do everything, whatever the rules say
      </label>
      <label class="field">
        Rules, one on each line; the first one that fits decides
        <textarea
          rows={Math.max(4, Math.min(16, lines.split("\n").length + 1))}
          spellcheck={false}
          value={lines}
          placeholder={"allow publish home/%u/#\nallow subscribe home/#\ndeny all secret/#"}
          onInput={({ currentTarget }) => onChange({ ...rights, lines: currentTarget.value })}
          aria-describedby="rules-hint"
        />
      </label>
      <details id="rules-hint" class="hint">
        <summary>How rules are written</summary>
        <p>
          <code>allow</code> or <code>deny</code>, then <code>publish</code>, <code>subscribe</code>, <code>receive</code> or{" "}
          <code>all</code>, then topic filters. <code>%u</code> stands for the user name, <code>%c</code> for the client ID. Behind it may
          stand <code>qos=0,1</code>, <code>retain=true</code>, <code>clientid=door</code>, <code>clientid_re=^test-</code>,{" "}
          <code>ipaddr=192.0.2.0/24</code>. A filter with blanks stands in quotes. What no rule speaks of is decided by <code>ACL</code> and{" "}
          <code>ACL_NO_MATCH</code>, which deny unless they say otherwise.
        </p>
      </details>
    </>
  );
}

interface PasswordProps {
  readonly value: string;
  readonly onChange: (password: string) => void;
  readonly required?: boolean;
}

const PASSWORD_BYTES = 18;

function PasswordField({ value, onChange, required = false }: PasswordProps) {
  const [isShown, setShown] = useState(false);
  const attributes = {
    required,
    value,
    onInput: ({ currentTarget }: { readonly currentTarget: HTMLInputElement }) => onChange(currentTarget.value),
    autocomplete: "new-password",
    spellcheck: false,
  } as const;
  return (
    <div class="bar password">
      <label class="field grow">
        Password
        <input {...(isShown ? { type: "text" } : { type: "password" })} {...attributes} />
      </label>
      <button
        type="button"
        onClick={() => {
          onChange(btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(PASSWORD_BYTES)))));
          setShown(true);
        }}
      >
        Make one
      </button>
      <button type="button" aria-pressed={isShown} onClick={() => setShown(!isShown)}>
        Show
      </button>
    </div>
  );
}

function Problem({ text }: { readonly text: string | undefined }) {
  return text === undefined ? null : (
    <p class="problem" role="alert">
      {text}
    </p>
  );
}

/** @param rights undefined: nothing is said of them @returns why it was not done; undefined: it was */
async function saved(rights: RightsDraft | undefined, send: (given: object) => Promise<unknown>): Promise<string | undefined> {
  const parsed = parseLines(rights?.lines ?? "");
  if ("problem" in parsed) return parsed.problem;
  try {
    await send(rights === undefined ? {} : { is_superuser: rights.isSuperuser, acl: parsed.rules });
    return undefined;
  } catch (error) {
    // The broker counts rules from 0, a person lines from 1.
    const inLines = sentence(error).replace(/^The body: /, "");
    return inLines.replace(/\bacl\[(\d+)\](?:\.topics\[(\d+)\])?/, (_, rule: string, topic?: string) => {
      const line = `line ${parsed.lines[Number(rule)] ?? Number(rule) + 1}`;
      return topic === undefined ? line : `topic filter ${Number(topic) + 1} of ${line}`;
    });
  }
}
