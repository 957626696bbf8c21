/**
 * Keep Alive of one connection: looked at twice in its time, a PINGREQ when nothing was sent or heard since the last look, and the end when
 * nothing came until the next. Between two packets that are sent it is never longer than the Keep Alive [MQTT5-3.1.2-20]
 * [MQTT311-3.1.2-23].
 */

import { PINGREQ } from "../mqtt/packet.ts";
import { MqttError } from "./error.ts";
import { KEEP_ALIVE_LOOK_SHARE } from "./limits.ts";
import type { Link } from "./link.ts";
import type { Clock } from "./platform.ts";

export class KeepAlive {
  readonly #clock: Clock;
  readonly #link: Link;
  readonly #lookMs: number;
  #asked = false;
  #cancel: () => void = () => {};

  /** @param seconds 0: nobody looks */
  constructor(clock: Clock, link: Link, seconds: number) {
    this.#clock = clock;
    this.#link = link;
    this.#lookMs = seconds * KEEP_ALIVE_LOOK_SHARE * 1000;
    if (seconds > 0) this.#wait();
  }

  #wait(): void {
    this.#cancel = this.#clock.after(this.#lookMs, () => this.#look());
  }

  #look(): void {
    const { sent, heard } = this.#link;
    if (this.#asked && !heard) {
      this.#link.fail(new MqttError("timeout", "The connection was lost: no answer to PINGREQ"));
      return;
    }
    this.#asked = !sent || !heard;
    this.#link.sent = false;
    this.#link.heard = false;
    if (this.#asked) this.#link.send({ type: PINGREQ });
    this.#wait();
  }

  stop(): void {
    this.#cancel();
  }
}
