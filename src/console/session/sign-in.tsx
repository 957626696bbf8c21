/** Who somebody is for the broker: a user, a token, or nobody where anonymous clients are let in. */
import { useEffect, useRef, useState } from "preact/hooks";
import { type Login, NOBODY } from "./login.ts";
import { link, login, signIn, signInIsOpen, signOut, stays } from "./session.ts";

export function SignIn() {
  const dialog = useRef<HTMLDialogElement>(null);
  const isOpen = signInIsOpen.value;
  useEffect(() => {
    if (isOpen) dialog.current?.showModal();
    else dialog.current?.close();
  }, [isOpen]);
  return (
    <dialog
      ref={dialog}
      class="sign-in"
      aria-labelledby="sign-in-title"
      onClose={() => {
        signInIsOpen.value = false;
      }}
    >
      {isOpen && <Form />}
    </dialog>
  );
}

function Form() {
  const [as, setAs] = useState<Login>(login.value);
  const [keep, setKeep] = useState(stays.value);
  const state = link.state.value;
  const set = (change: Partial<Login>): void => setAs((before) => ({ ...before, ...change }));
  const close = (): void => {
    signInIsOpen.value = false;
  };
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    await signIn(as, keep);
    if (link.state.value.kind === "open") close();
  };
  return (
    <form onSubmit={submit}>
      <h2 id="sign-in-title">Sign in to the broker</h2>
      {state.kind === "closed" && state.problem !== undefined && (
        <p class="problem" role="alert">
          {state.problem}
        </p>
      )}
      {state.kind === "away" && (
        <p class="problem" role="status">
          {state.problem} It is tried again.
        </p>
      )}
      <label class="field">
        User name
        <input
          value={as.userName}
          onInput={({ currentTarget }) => set({ userName: currentTarget.value })}
          autocomplete="username"
          autocapitalize="off"
          spellcheck={false}
        />
      </label>
      <label class="field">
        Password
        <input
          type="password"
          value={as.password}
          onInput={({ currentTarget }) => set({ password: currentTarget.value })}
          autocomplete="current-password"
        />
      </label>
      <label class="field">
        Token
        <input
          type="password"
          value={as.token}
          onInput={({ currentTarget }) => set({ token: currentTarget.value.trim() })}
          autocomplete="off"
          aria-describedby="token-hint"
        />
      </label>
      <small id="token-hint">
        Of the HTTP API: it opens Clients, Overview and Access. A token of your identity provider (JWT) signs in to MQTT, too, where there
        is no password.
      </small>
      <details>
        <summary>Namespace</summary>
        <label class="field">
          Namespace
          <input
            value={as.namespace}
            required
            maxLength={64}
            pattern="[a-zA-Z0-9_\-]+"
            title="Letters, digits, _ and -"
            onInput={({ currentTarget }) => set({ namespace: currentTarget.value.trim() })}
            autocapitalize="off"
            spellcheck={false}
          />
        </label>
      </details>
      <label class="check">
        <input type="checkbox" checked={keep} onChange={({ currentTarget }) => setKeep(currentTarget.checked)} />
        Stay signed in, in this browser
      </label>
      <small>Without it the password and the token are forgotten when this tab is closed.</small>
      <div class="buttons">
        {login.value !== NOBODY && (
          <button
            type="button"
            onClick={() => {
              signOut();
              setAs(NOBODY);
            }}
          >
            Sign out
          </button>
        )}
        <span class="gap" />
        <button type="button" onClick={close}>
          Cancel
        </button>
        <button type="submit" class="primary" disabled={state.kind === "opening"}>
          {state.kind === "opening" ? "Connecting …" : as.userName === "" && as.token === "" ? "Connect without a user" : "Sign in"}
        </button>
      </div>
    </form>
  );
}
