/** Shuts somebody out: by what, for how long, and why. In the view of bans it stands by itself, for one client it is asked in a dialog. */
import { useEffect, useRef, useState } from "preact/hooks";
import { say } from "../parts/question.tsx";
import { sentence } from "../session/link.ts";
import { api, login } from "../session/session.ts";

/** By the API's names. */
export const BAN_NAMES = {
  clientid: "Client ID",
  username: "User name",
  peerhost: "Address",
  peerhost_net: "Network",
  clientid_re: "Client IDs like (regular expression)",
  username_re: "User names like (regular expression)",
} as const;
export type BanKind = keyof typeof BAN_NAMES;

const PLACEHOLDERS: Readonly<Record<BanKind, string>> = {
  clientid: "door",
  username: "ada",
  peerhost: "203.0.113.7",
  peerhost_net: "203.0.113.0/24 or 2001:db8::/32",
  clientid_re: "^test-",
  username_re: "^guest",
};

/** Seconds; 0: until somebody lifts it. */
const TIMES = [
  [600, "10 minutes"],
  [3600, "1 hour"],
  [86_400, "1 day"],
  [604_800, "1 week"],
  [0, "for ever"],
] as const;

interface FieldsProps {
  /** By what, with who that is; empty where it has to be written. */
  readonly choices: Readonly<Partial<Record<BanKind, string>>>;
  readonly onDone: () => void;
  /** Beside the button that bans. */
  readonly onCancel?: () => void;
}

export function BanForm({ choices, onDone, onCancel }: FieldsProps) {
  const kinds = Object.keys(choices) as BanKind[];
  const [kind, setKind] = useState<BanKind>(kinds[0]!);
  const [who, setWho] = useState(choices[kind]!);
  const [seconds, setSeconds] = useState<number>(3600);
  const [reason, setReason] = useState("");
  const [problem, setProblem] = useState<string>();
  const [isBusy, setBusy] = useState(false);
  const choose = (next: BanKind): void => {
    setKind(next);
    if (choices[next] !== "") setWho(choices[next]!);
    else if (Object.values(choices).includes(who)) setWho("");
  };
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    setBusy(true);
    try {
      const until = seconds === 0 ? "infinity" : new Date(Date.now() + seconds * 1000).toISOString();
      const by = login.peek().userName;
      await api.value.send("POST", "/banned", { as: kind, who, reason, until, ...(by !== "" && { by }) });
      say(`${who} is banned.`);
      setProblem(undefined);
      setReason("");
      onDone();
    } catch (error) {
      setProblem(sentence(error));
    } finally {
      setBusy(false);
    }
  };
  return (
    <form class="ban" aria-label="Ban" onSubmit={submit}>
      <div class="grid">
        <label class="field">
          By
          <select value={kind} onChange={({ currentTarget }) => choose(currentTarget.value as BanKind)}>
            {kinds.map((each) => (
              <option key={each} value={each}>
                {BAN_NAMES[each]}
              </option>
            ))}
          </select>
        </label>
        <label class="field">
          {BAN_NAMES[kind].replace(/ \(.*/, "")}
          <input
            required
            value={who}
            placeholder={PLACEHOLDERS[kind]}
            onInput={({ currentTarget }) => setWho(currentTarget.value)}
            autocapitalize="off"
            autocomplete="off"
            spellcheck={false}
          />
        </label>
        <label class="field">
          For
          <select value={seconds} onChange={({ currentTarget }) => setSeconds(Number(currentTarget.value))}>
            {TIMES.map(([each, words]) => (
              <option key={each} value={each}>
                {words}
              </option>
            ))}
          </select>
        </label>
        <label class="field">
          Reason
          <input value={reason} maxLength={256} placeholder="Optional" onInput={({ currentTarget }) => setReason(currentTarget.value)} />
        </label>
      </div>
      {problem !== undefined && (
        <p class="problem" role="alert">
          {who} was not banned: {problem}
        </p>
      )}
      <div class="buttons">
        {onCancel !== undefined && (
          <button type="button" onClick={onCancel}>
            Cancel
          </button>
        )}
        <button type="submit" class="danger" disabled={isBusy}>
          Ban
        </button>
      </div>
    </form>
  );
}

interface DialogProps {
  readonly choices: FieldsProps["choices"];
  readonly onClose: () => void;
}

export function BanDialog({ choices, onClose }: DialogProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog ref={dialog} class="ban-dialog" aria-labelledby="ban-title" onClose={onClose}>
      <h2 id="ban-title">Ban a client</h2>
      <p class="quiet">Its connection ends, and it is refused until the ban is over. Its session waits.</p>
      <BanForm choices={choices} onDone={() => dialog.current?.close()} onCancel={() => dialog.current?.close()} />
    </dialog>
  );
}
