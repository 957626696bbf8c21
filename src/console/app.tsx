/** The frame of the console: who is connected, the views, and what stands above all of them. */
import type { ComponentType } from "preact";
import { useEffect } from "preact/hooks";
import { MessagesView } from "./messages/messages-view.tsx";
import { Guarded } from "./parts/guarded.tsx";
import { later } from "./parts/later.tsx";
import { Questions } from "./parts/question.tsx";
import { hrefOf, route, VIEWS, type View } from "./route.ts";
import { Ending } from "./session/ending.tsx";
import { api, clientId, link, login, signInIsOpen } from "./session/session.ts";
import { SignIn } from "./session/sign-in.tsx";
import { TopicsView } from "./topics/topics-view.tsx";

const NAMES: Readonly<Record<View, string>> = {
  topics: "Topics",
  messages: "Messages",
  clients: "Clients",
  overview: "Overview",
  access: "Access",
};

/** Those that ask the HTTP API are loaded when they are opened, and begin anew with each login: what one has seen is not for another. */
const SHOWN: Readonly<Record<View, ComponentType>> = {
  topics: TopicsView,
  messages: MessagesView,
  clients: later(() => import("./clients/clients-view.tsx").then(({ ClientsView }) => ClientsView)),
  overview: later(() => import("./overview/overview-view.tsx").then(({ OverviewView }) => OverviewView)),
  access: later(() => import("./access/access-view.tsx").then(({ AccessView }) => AccessView)),
};

function isOfApi(view: View): boolean {
  return view !== "topics" && view !== "messages";
}

export function App() {
  const { view } = route.value;
  const Shown = SHOWN[view];
  useShortcuts();
  useEffect(() => {
    document.title = `${NAMES[view]} · durable-mqtt`;
  }, [view]);
  return (
    <>
      <header class="top">
        <a class="brand" href={hrefOf("topics")} aria-label="durable-mqtt">
          <svg viewBox="0 0 32 32" aria-hidden="true">
            <rect width="32" height="32" rx="8" />
            <path d="M8 24h.01M8 16a8 8 0 0 1 8 8M8 8a16 16 0 0 1 16 16" />
          </svg>
          <span>durable-mqtt</span>
        </a>
        <nav aria-label="Views">
          {VIEWS.map((each, index) => (
            <a key={each} href={hrefOf(each)} aria-current={each === view ? "page" : undefined} title={`${NAMES[each]} (${index + 1})`}>
              {NAMES[each]}
            </a>
          ))}
        </nav>
        <Connection />
      </header>
      <Ending />
      <main>
        <Guarded key={view}>
          <Shown key={isOfApi(view) ? api.value : login.value} />
        </Guarded>
      </main>
      <SignIn />
      <Questions />
    </>
  );
}

const STATES = { open: "Connected", opening: "Connecting …", away: "Not reached, trying again", closed: "Not connected" } as const;

function Connection() {
  const state = link.state.value;
  const { namespace, userName } = login.value;
  const who = userName === "" ? "without a user name" : `as ${userName}`;
  return (
    <>
      <span class="unseen" role="status">
        {STATES[state.kind]}
      </span>
      <button
        type="button"
        class="state"
        data-state={state.kind}
        title={`${clientId.value}, ${who}, namespace ${namespace}`}
        onClick={() => {
          signInIsOpen.value = true;
        }}
      >
        <span>{STATES[state.kind]}</span>
        {userName !== "" && <span class="who">{userName}</span>}
        {namespace !== "default" && <span class="who">{namespace}</span>}
      </button>
    </>
  );
}

/** 1 to 5 choose a view, and / goes to its search, unless somebody writes. */
function useShortcuts(): void {
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      const target = event.target as HTMLElement;
      if (event.ctrlKey || event.metaKey || event.altKey || target.closest("input, textarea, select, dialog")) return;
      const view = VIEWS[Number(event.key) - 1];
      if (view !== undefined) location.hash = hrefOf(view);
      else if (event.key === "/") document.querySelector<HTMLInputElement>("main [data-shortcut='/']")?.focus();
      else return;
      event.preventDefault();
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, []);
}
