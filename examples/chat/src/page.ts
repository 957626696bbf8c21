/** The chat in the browser. */

import { type Client, connect, type Message, MqttError } from "durable-mqtt/client";
import { HERE, placeOf } from "./presence.ts";

const SAID = "chat/said";
/** Lines that are shown. */
const LINES_MAX = 500;

const find = <Kind extends Element>(selector: string): Kind => document.querySelector<Kind>(selector)!;
const entrance = find<HTMLFormElement>("#entrance");
const nameField = find<HTMLInputElement>("#name");
const room = find<HTMLElement>("#room");
const people = find<HTMLUListElement>("#people");
const lines = find<HTMLOListElement>("#lines");
const speech = find<HTMLFormElement>("#speech");
const text = find<HTMLInputElement>("#text");
const status = find<HTMLOutputElement>("#status");

/** Of this tab; a reload is the same client, and what was said meanwhile comes then. */
function ownId(): string {
  const id = sessionStorage.getItem("id") ?? crypto.randomUUID();
  sessionStorage.setItem("id", id);
  return id;
}

/** @param place where others see that this one is here */
async function enter(name: string, clientId: string, place: string): Promise<Client> {
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  const client = await connect(`${scheme}://${location.host}/mqtt`, {
    clientId,
    userName: name,
    clean: false,
    sessionExpirySeconds: 600,
    // Whoever comes back within some seconds, as after a reload, has never been away.
    will: { topic: place, retain: true, qos: 1, willDelayInterval: 5 },
    onMessage: show,
    on: {
      disconnected: ({ willReconnect }) => tell(willReconnect ? "The connection is lost; trying again …" : "You are disconnected."),
      connected: () => tell(""),
    },
  });
  await client.subscribe(SAID, { qos: 1, onMessage: show });
  await client.subscribe(`${HERE}+`, { qos: 1, onMessage: showPresence });
  await client.publish(place, name, { qos: 1, retain: true });
  return client;
}

function show(message: Message): void {
  if (message.topic !== SAID) return;
  const { from, at } = Object.fromEntries(message.properties.userProperties ?? []);
  const line = document.createElement("li");
  const time = document.createElement("time");
  const who = document.createElement("b");
  const what = document.createElement("span");
  time.dateTime = at ?? "";
  time.textContent = at === undefined ? "" : new Date(at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  who.textContent = from ?? "";
  what.textContent = message.text();
  line.append(time, who, what);
  lines.append(line);
  while (lines.childElementCount > LINES_MAX) lines.firstElementChild!.remove();
  line.scrollIntoView({ block: "end" });
}

function showPresence(message: Message): void {
  const id = message.topic.slice(HERE.length);
  const known = [...people.children].find((each) => (each as HTMLElement).dataset.id === id);
  const name = message.text();
  if (name === "") {
    known?.remove();
    return;
  }
  const person = (known as HTMLElement | undefined) ?? document.createElement("li");
  person.dataset.id = id;
  person.textContent = name;
  if (known === undefined) people.append(person);
}

function tell(sentence: string): void {
  status.textContent = sentence;
}

const sentenceOf = (error: unknown): string => (error instanceof MqttError ? error.message : String(error));

async function open(name: string): Promise<void> {
  tell("Connecting …");
  try {
    const clientId = ownId();
    const place = await placeOf(clientId);
    const client = await enter(name, clientId, place);
    sessionStorage.setItem("name", name);
    entrance.hidden = true;
    room.hidden = false;
    text.focus();
    tell("");
    speech.addEventListener("submit", (event) => {
      event.preventDefault();
      const said = text.value.trim();
      if (said === "") return;
      text.value = "";
      client.publish(SAID, said, { qos: 1 }).catch((error: unknown) => {
        text.value = said;
        tell(sentenceOf(error));
      });
    });
    find<HTMLButtonElement>("#leave").addEventListener("click", async () => {
      sessionStorage.clear();
      await client.publish(place, "", { qos: 1, retain: true });
      await client.end({ sessionExpirySeconds: 0 });
      location.reload();
    });
  } catch (error) {
    entrance.hidden = false;
    tell(sentenceOf(error));
  }
}

entrance.addEventListener("submit", (event) => {
  event.preventDefault();
  void open(nameField.value.trim());
});

const known = sessionStorage.getItem("name");
if (known === null) entrance.hidden = false;
else void open(known);
