/** What clients are measured with. */

import type { QoS } from "../../src/mqtt/packet.ts";

export interface ClientScenario {
  readonly title: string;
  /**
   * `publish`: messages that nobody wants, so many of them not acknowledged (at QoS 0: not sent); `receive`: messages that the server sends,
   * up to so many before they are acknowledged; `echo`: the client is subscribed to what it publishes, so many are on their way.
   */
  readonly kind: "publish" | "receive" | "echo";
  readonly qos: QoS;
  /** With one the time that each takes is measured too. */
  readonly outstanding: number;
}

const WINDOWS = [1, 16, 100];
const QOS = [0, 1, 2] as const;

function scenario(kind: ClientScenario["kind"], qos: QoS, outstanding: number): ClientScenario {
  return { title: `${kind}, QoS ${qos}, ${outstanding === 1 ? "one at a time" : `${outstanding} on the way`}`, kind, qos, outstanding };
}

export const CLIENT_SCENARIOS: readonly ClientScenario[] = [
  // At QoS 0 nothing comes back that would be waited for.
  scenario("publish", 0, 100),
  ...([1, 2] as const).flatMap((qos) => WINDOWS.map((outstanding) => scenario("publish", qos, outstanding))),
  ...QOS.map((qos) => scenario("receive", qos, 100)),
  ...QOS.flatMap((qos) => [1, 100].map((outstanding) => scenario("echo", qos, outstanding))),
];

/** The topic from which a client receives, as the server reads it. */
export const streamTopic = ({ qos, outstanding }: ClientScenario): string => `stream/${qos}/${outstanding}`;

export const PAYLOAD_BYTES = 64;
