/** What stands above every view: that the connection is over, or that the login soon is. */
import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { Notice } from "../parts/notice.tsx";
import { timeText } from "../parts/numbers.ts";
import { passwordOf } from "./login.ts";
import { link, login, signInIsOpen } from "./session.ts";

/** How long before its end a token is spoken of, ms. */
const SOON_MS = 5 * 60_000;
const LOOK_MS = 10_000;

const now = signal(Date.now());

export function Ending() {
  useEffect(() => {
    const timer = setInterval(() => {
      now.value = Date.now();
    }, LOOK_MS);
    return () => clearInterval(timer);
  }, []);
  const state = link.state.value;
  const { token } = login.value;
  const end = endOf(token) ?? endOf(passwordOf(login.value));
  const button = (words: string) => (
    <button
      type="button"
      onClick={() => {
        signInIsOpen.value = true;
      }}
    >
      {words}
    </button>
  );
  if (state.kind === "away") return <Notice kind="away">{state.problem} It is tried again, and nothing that you see here is lost.</Notice>;
  if (state.kind === "closed" && state.problem !== undefined)
    return (
      <Notice kind="bad">
        {state.problem} {button("Sign in")}
      </Notice>
    );
  if (end !== undefined && end - now.value < SOON_MS)
    return (
      <Notice kind="note">
        {end > now.value ? `Your login ends at ${timeText(end)}.` : "Your login has ended."} {button("Sign in again")}
      </Notice>
    );
  return null;
}

/** When a token of an identity provider ends, ms since the epoch; its signature is the broker's business. */
function endOf(token: string): number | undefined {
  try {
    const [, body = ""] = token.split(".");
    const { exp } = JSON.parse(atob(body.replaceAll("-", "+").replaceAll("_", "/"))) as { exp?: unknown };
    return typeof exp === "number" ? exp * 1000 : undefined;
  } catch {
    return undefined;
  }
}
