/** The page: its fields and buttons, wired to one connection and the list of messages. */
import type { Client, Message } from "../client/index.ts";
import { type ConnectChoice, open } from "./connection.ts";
import { MessageList } from "./message-list.ts";
import { recall, remember } from "./remembered.ts";

type Qos = 0 | 1 | 2;

function get<T extends HTMLElement = HTMLInputElement>(id: string): T {
  return document.getElementById(id) as T;
}

const messages = new MessageList(get("messages"), (received) => {
  get("message-count").textContent = received.toLocaleString("en");
  get("no-messages").hidden = received > 0;
});
const subscriptions = get<HTMLUListElement>("subscriptions");

let client: Client | undefined;
/** Ends the connection, also one that is being made. */
let close: (() => void) | undefined;
/** How `client` is connected. */
let choice: ConnectChoice | undefined;

function show(id: "error" | "subscribe-result" | "publish-result", problem: string | undefined): void {
  get(id).textContent = problem ?? "";
  get(id).hidden = problem === undefined;
}

function setState(state: "closed" | "opening" | "open", words: string): void {
  get("state").textContent = words;
  get("state").dataset.state = state;
  get<HTMLFieldSetElement>("connect-fields").disabled = state !== "closed";
  get<HTMLFieldSetElement>("subscribe-fields").disabled = state !== "open";
  get<HTMLFieldSetElement>("publish-fields").disabled = state !== "open";
  get("connect").hidden = state !== "closed";
  get("disconnect").hidden = state === "closed";
  get("disconnect").textContent = state === "opening" ? "Cancel" : "Disconnect";
  for (const button of subscriptions.querySelectorAll("button")) button.disabled = state !== "open";
}

get("connect-form").addEventListener("submit", (event) => {
  event.preventDefault();
  show("error", undefined);
  setState("opening", "Connecting …");
  const chosen: ConnectChoice = {
    namespace: get("namespace").value.trim(),
    version: get<HTMLSelectElement>("version").value === "4" ? 4 : 5,
    clientId: get("client-id").value.trim(),
    username: get("username").value,
    password: get("password").value,
    clean: get("clean").checked,
  };
  choice = chosen;
  close = open(chosen, {
    opened(connected) {
      client = connected;
      const { sessionPresent } = client.server;
      subscriptions.replaceChildren();
      if (sessionPresent) for (const { filter, qos } of recall(chosen.namespace, chosen.clientId)) listSubscription(filter, qos);
      rememberSubscriptions();
      setState("open", sessionPresent ? "Connected, session resumed" : "Connected");
      get("filter").focus();
    },
    closed(problem) {
      client = undefined;
      show("error", problem);
      setState("closed", problem === undefined ? "Disconnected" : "Not connected");
      get("connect").focus();
    },
    message: showMessage,
  });
});

/** Several subscriptions may want the same message: it is shown once. */
let shown: Message | undefined;

function showMessage(message: Message): void {
  if (message === shown) return;
  shown = message;
  const { topic, payload, qos, retain } = message;
  messages.add({ time: new Date(), topic, payload, qos, retained: retain });
}

get("disconnect").addEventListener("click", () => close?.());

get("subscribe-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const filter = get("filter").value;
  try {
    const { granted } = await client!.subscribe(filter, { qos: qosOf("subscribe-qos"), onMessage: showMessage });
    listSubscription(filter, granted[0]!.qos);
    rememberSubscriptions();
    show("subscribe-result", undefined);
  } catch (error) {
    show("subscribe-result", `${filter} was not subscribed: ${(error as Error).message}.`);
  }
});

get("publish-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const topic = get("topic").value;
  const qos = qosOf("publish-qos");
  get("published").textContent = "";
  try {
    await client!.publish(topic, get<HTMLTextAreaElement>("payload").value, { qos, retain: get("retain").checked });
    show("publish-result", undefined);
    const time = new Date().toLocaleTimeString(undefined, { hour12: false });
    get("published").textContent = `${time} ${topic} ${qos === 0 ? "was sent" : "was published"}.`;
  } catch (error) {
    show("publish-result", `${topic} was not published: ${(error as Error).message}.`);
  }
});

get("clear").addEventListener("click", () => messages.clear());

function qosOf(id: string): Qos {
  return Number(get<HTMLSelectElement>(id).value) as Qos;
}

/** A session that ends with its connection has nothing to be remembered of. */
function rememberSubscriptions(): void {
  if (choice === undefined) return;
  const rows = choice.clean ? [] : [...subscriptions.children];
  const listed = rows.map((row) => ({ filter: (row as HTMLElement).dataset.filter!, qos: Number((row as HTMLElement).dataset.qos) }));
  remember(choice.namespace, choice.clientId, listed);
}

/** Shows a subscription with a button to end it; the same filter again replaces it, as it does in the broker. */
function listSubscription(filter: string, qos: number): void {
  const row = document.createElement("li");
  row.dataset.testid = "subscription";
  row.dataset.filter = filter;
  row.dataset.qos = String(qos);
  const name = document.createElement("code");
  name.textContent = filter;
  const badge = document.createElement("span");
  badge.className = "badge";
  badge.textContent = `QoS ${qos}`;
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Unsubscribe";
  button.dataset.testid = "unsubscribe";
  button.setAttribute("aria-label", `Unsubscribe ${filter}`);
  button.addEventListener("click", async () => {
    try {
      await client!.unsubscribe(filter);
      row.remove();
      rememberSubscriptions();
    } catch (error) {
      show("subscribe-result", `${filter} was not unsubscribed: ${(error as Error).message}.`);
    }
  });
  row.append(name, badge, button);
  const same = [...subscriptions.children].find((other) => (other as HTMLElement).dataset.filter === filter);
  if (same === undefined) subscriptions.append(row);
  else same.replaceWith(row);
}

get("client-id").value = `page-${crypto.getRandomValues(new Uint32Array(1))[0]!.toString(36)}`;
