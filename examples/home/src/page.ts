/** The page of the home: a card for each room, with its temperature now and a plot of what came since the page was opened. */

import { type Client, type ConnectOptions, connect, type Message, MqttError } from "durable-mqtt/client";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";

/** The plots show so much. */
const SHOWN_MS = 5 * 60_000;
const HEIGHT = 140;

const find = <Kind extends Element>(selector: string, within: ParentNode = document): Kind => within.querySelector<Kind>(selector)!;
const login = find<HTMLFormElement>("#login");
const rooms = find<HTMLElement>("#rooms");
const template = find<HTMLTemplateElement>("#room");
const status = find<HTMLOutputElement>("#status");
const tell = (sentence: string): void => {
  status.textContent = sentence;
};
const sentenceOf = (error: unknown): string => (error instanceof MqttError ? error.message : String(error));

/** One room. */
class Card {
  readonly #root: HTMLElement;
  readonly #times: number[] = [];
  readonly #values: number[] = [];
  readonly #plot: uPlot;

  constructor(room: string, ask: () => Promise<number>) {
    this.#root = (template.content.cloneNode(true) as DocumentFragment).firstElementChild as HTMLElement;
    this.#root.dataset.room = room;
    find("h2", this.#root).textContent = room.replaceAll("-", " ");
    const answer = find<HTMLOutputElement>(".answer", this.#root);
    find<HTMLButtonElement>("button", this.#root).addEventListener("click", async () => {
      answer.textContent = "asking …";
      answer.textContent = await ask().then((value) => `it says ${value.toFixed(1)} °C`, sentenceOf);
    });
    const after = [...rooms.children].find((each) => (each as HTMLElement).dataset.room! > room);
    rooms.insertBefore(this.#root, after ?? null);
    const style = getComputedStyle(document.documentElement);
    const [line, quiet, grid] = ["--mark", "--quiet", "--line"].map((name) => style.getPropertyValue(name));
    const axis = { stroke: quiet!, grid: { stroke: grid!, width: 1 }, ticks: { show: false }, font: "11px system-ui" };
    this.#plot = new uPlot(
      {
        width: this.#width,
        height: HEIGHT,
        legend: { show: false },
        cursor: { show: false },
        scales: {
          x: { range: (_plot, _low, high) => [high - SHOWN_MS / 1000, high] },
          y: { range: (_plot, low, high) => [Math.min(low, high - 1) - 0.2, high + 0.2] },
        },
        axes: [axis, { ...axis, size: 34 }],
        series: [{}, { stroke: line!, width: 2, points: { show: false } }],
      },
      [[], []],
      find<HTMLElement>(".plot", this.#root),
    );
    new ResizeObserver(() => this.#plot.setSize({ width: this.#width, height: HEIGHT })).observe(this.#root);
  }

  get #width(): number {
    return find(".plot", this.#root).clientWidth || 280;
  }

  show(value: number): void {
    const now = Date.now();
    this.#times.push(now / 1000);
    this.#values.push(value);
    while (this.#times[0]! * 1000 < now - SHOWN_MS) {
      this.#times.shift();
      this.#values.shift();
    }
    this.#plot.setData([this.#times, this.#values]);
    find(".value", this.#root).textContent = `${value.toFixed(1)} °C`;
  }

  setOnline(isOnline: boolean): void {
    this.#root.classList.toggle("offline", !isOnline);
  }
}

function watch(client: Client): Promise<unknown> {
  const cards = new Map<string, Card>();
  const cardOf = (topic: string): Card => {
    const room = topic.split("/")[1]!;
    const ask = async (): Promise<number> => Number((await client.request(`home/${room}/temperature/get`, "", { timeoutMs: 3000 })).text());
    const card = cards.get(room) ?? new Card(room, ask);
    cards.set(room, card);
    return card;
  };
  const temperature = (message: Message): void => {
    const value = Number(message.text());
    if (message.payload.length > 0 && Number.isFinite(value)) cardOf(message.topic).show(value);
  };
  return Promise.all([
    client.subscribe("home/+/temperature", { onMessage: temperature }),
    client.subscribe("home/+/status", { qos: 1, onMessage: (message) => cardOf(message.topic).setOnline(message.text() === "online") }),
  ]);
}

async function open(account: Pick<ConnectOptions, "userName" | "password">): Promise<void> {
  tell("Connecting …");
  try {
    const client = await connect(`${location.protocol.replace("http", "ws")}//${location.host}/mqtt`, {
      ...account,
      on: {
        connected: () => tell(""),
        disconnected: ({ willReconnect }) => tell(willReconnect ? "The connection is lost; trying again …" : "You are disconnected."),
      },
    });
    await watch(client);
    login.hidden = true;
    tell("");
  } catch (error) {
    login.hidden = false;
    tell(account.userName === undefined ? "Please log in." : sentenceOf(error));
  }
}

login.addEventListener("submit", (event) => {
  event.preventDefault();
  const [userName, password] = ["#user", "#password"].map((selector) => find<HTMLInputElement>(selector).value);
  void open({ userName: userName!, password: password! });
});

void open({});
