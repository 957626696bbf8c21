/** What the console works with: one login, the connection of whoever looks, and the HTTP API. */
import { computed, signal } from "@preact/signals";
import { Api } from "./api.ts";
import { Link } from "./link.ts";
import { forgetLogin, keepLogin, keptLogin, type Login, NOBODY } from "./login.ts";

const kept = keptLogin();

export const login = signal<Login>(kept?.login ?? NOBODY);
/** Whether the login outlives the tab. */
export const stays = signal(kept?.stays ?? false);
export const api = computed(() => new Api(login.value.namespace, login.value.token));

/** Another one for each tab, for each time that it is loaded, and for each login: a session belongs to its user. */
export const clientId = signal(newClientId());

function newClientId(): string {
  return `console-${crypto.getRandomValues(new Uint32Array(1))[0]!.toString(36)}`;
}

/** The connection by which messages are published and subscriptions of the view of messages made. */
export const link = new Link();
export const signInIsOpen = signal(false);

/** Connects as before, or as nobody; who is refused then is asked who he is. */
export async function resume(): Promise<void> {
  await link.open(login.value, clientId.value);
  if (link.state.value.kind === "closed") signInIsOpen.value = true;
}

export function signIn(as: Login, keep: boolean): Promise<void> {
  clientId.value = newClientId();
  login.value = as;
  stays.value = keep;
  keepLogin(as, keep);
  return link.open(as, clientId.value);
}

/** Ends the connection, and forgets who it was. */
export function signOut(): void {
  link.close();
  forgetLogin();
  login.value = NOBODY;
  stays.value = false;
}
