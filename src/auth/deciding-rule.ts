/**
 * Which rule of a list decides what is asked. Rules are not read anew for that, they are asked as clients ask them, as many of the list as it takes:
 * it is decided as soon as it no longer matters what holds of everything that no rule speaks of, and what comes behind that changes nothing any more.
 */

import type { QoS } from "../mqtt/packet.ts";
import { type Otherwise, Rights } from "./rights.ts";
import type { ClientFacts } from "./rule-topics.ts";
import type { Rule } from "./rules.ts";

/** What somebody wants to do. */
export interface Intent {
  readonly action: "publish" | "subscribe";
  /** A Topic Name, or a Topic Filter without `$share/NAME/`. */
  readonly topic: string;
  readonly qos: QoS;
  /** Of PUBLISH. */
  readonly retain: boolean;
}

export interface Decision {
  readonly allows: boolean;
  /** The last one that it takes; undefined: no rule says anything of all that is asked. */
  readonly rule: Rule | undefined;
}

export function decide(rules: readonly Rule[], client: ClientFacts, otherwise: Otherwise, intent: Intent): Decision {
  const allowsBy = (most: number, rest: Otherwise): boolean => allows(new Rights(rules.slice(0, most), client, rest), intent);
  const isDecidedBy = (most: number): boolean => allowsBy(most, "nothing") === allowsBy(most, "everything");
  if (!isDecidedBy(rules.length)) return { allows: allowsBy(rules.length, otherwise), rule: undefined };
  let [open, decided] = [0, rules.length];
  while (decided - open > 1) {
    const middle = (open + decided) >> 1;
    if (isDecidedBy(middle)) decided = middle;
    else open = middle;
  }
  return { allows: allowsBy(decided, "nothing"), rule: rules[decided - 1] };
}

function allows(rights: Rights, { action, topic, qos, retain }: Intent): boolean {
  return action === "publish" ? rights.mayPublish(topic, qos, retain) : rights.maySubscribe(topic, qos);
}
