/** The list of received messages, the newest first, bounded; drawn once per frame however many messages arrive. */
import { showPayload } from "./payload.ts";

const ROWS_MAX = 500;

export interface ReceivedMessage {
  readonly time: Date;
  readonly topic: string;
  readonly qos: number;
  readonly retained: boolean;
  readonly payload: Uint8Array;
}

export class MessageList {
  readonly #rows: HTMLElement;
  readonly #changed: (received: number) => void;
  #waiting: ReceivedMessage[] = [];
  #received = 0;

  /** @param changed is told how many messages were received since the last `clear` */
  constructor(rows: HTMLElement, changed: (received: number) => void) {
    this.#rows = rows;
    this.#changed = changed;
  }

  add(message: ReceivedMessage): void {
    this.#waiting.push(message);
    this.#received++;
    if (this.#waiting.length > ROWS_MAX) this.#waiting.shift();
    // A page in the background gets no frames, but it must not fall behind without bound: see above.
    if (this.#waiting.length === 1) requestAnimationFrame(() => this.#draw());
  }

  clear(): void {
    this.#waiting = [];
    this.#received = 0;
    this.#rows.replaceChildren();
    this.#changed(0);
  }

  #draw(): void {
    const rows = this.#waiting.map(rowOf).reverse();
    this.#waiting = [];
    this.#rows.prepend(...rows);
    while (this.#rows.childElementCount > ROWS_MAX) this.#rows.lastElementChild!.remove();
    this.#changed(this.#received);
  }
}

function rowOf({ time, topic, qos, retained, payload }: ReceivedMessage): HTMLLIElement {
  const shown = showPayload(payload);
  const about = element("div", "about");
  about.append(element("code", "topic", topic, "message-topic"), element("span", "badge", `QoS ${qos}`, "message-qos"));
  if (retained) about.append(element("span", "badge retained", "retained", "message-retained"));
  const clock = element("time", "", time.toLocaleTimeString(undefined, { hour12: false }), "message-time");
  clock.dateTime = time.toISOString();
  about.append(clock);
  const row = element("li", "", undefined, "message");
  row.append(about, element("pre", shown.kind, shown.text, "message-payload"));
  return row;
}

function element<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  className: string,
  text?: string,
  testId?: string,
): HTMLElementTagNameMap[Name] {
  const made = document.createElement(name);
  made.className = className;
  if (text !== undefined) made.textContent = text;
  if (testId !== undefined) made.dataset.testid = testId;
  return made;
}
