/**
 * Response Information: the topic below which a client of 5.0 may ask for answers, made of what the operator set and of the client's name.
 * Keeps the law that a name stands for itself: it reaches no topics of other clients.
 */

import { isSystemTopic } from "../topic/name.ts";

const CLIENT_ID = "%c";

/**
 * What a client that requests it is told [MQTT5-3.1.2-28].
 * @param template with `%c` for the Client Identifier
 * @returns undefined for a client whose name would say more than itself: with wildcards it would be no Topic Name, with a slash it would
 *   lie below the topics of another one, with a `$` at the beginning among the broker's own
 */
export function responseInformation(template: string, clientId: string): string | undefined {
  if (!template.includes(CLIENT_ID)) return template;
  if (/[+#/]/.test(clientId)) return undefined;
  // Not with `replaceAll`: in its second argument `$&` and the like mean something.
  const topic = template.split(CLIENT_ID).join(clientId);
  return isSystemTopic(topic) && !isSystemTopic(template) ? undefined : topic;
}
