/** Everything below a topic at once: as a file in the form of `durable-mqtt export`, as JSON for the clipboard, and cleared. */
import type { Client } from "../../client/index.ts";
import { base64Of, bytesOfBase64 } from "../parts/bytes.ts";
import { say } from "../parts/question.tsx";
import { isDeep, lineOf, numberOf, textOf } from "../payload/formats.ts";
import { sentence } from "../session/link.ts";
import { link } from "../session/session.ts";
import { type TopicNode, visitBelow } from "./tree.ts";
import { watch } from "./watch.ts";

/** Publishes that are under way at once. */
const AT_ONCE = 100;

/** The topic and those below it that have a value. */
export function topicsOf(node: TopicNode, isWanted: (node: TopicNode) => boolean = () => true): TopicNode[] {
  const topics: TopicNode[] = [];
  const take = (each: TopicNode): void => {
    if (each.value !== undefined && isWanted(each)) topics.push(each);
  };
  take(node);
  visitBelow(node, take);
  return topics;
}

/** A line of JSON for each topic, as `durable-mqtt export` has for a retained message. */
export function linesOf(node: TopicNode): string[] {
  return topicsOf(node, ({ value }) => value!.payload !== undefined).map(({ topic, value }) => {
    const { payload, qos, properties } = value!;
    const named = {
      payload_format_indicator: properties.payloadFormatIndicator,
      content_type: properties.contentType,
      response_topic: properties.responseTopic,
      correlation_data_base64: properties.correlationData && base64Of(properties.correlationData),
      user_properties: properties.userProperties,
    };
    const isPlain = Object.values(named).every((each) => each === undefined);
    return `${JSON.stringify({ kind: "retained", topic, payload: base64Of(payload!), qos, ...(isPlain ? {} : { properties: named }) })}\n`;
  });
}

/** The levels as objects, each value as JSON, a number or a text. */
export function jsonOf(node: TopicNode): string {
  const walk = (each: TopicNode): unknown => {
    const own = each.value?.payload === undefined ? undefined : meaningOf(each.value.payload);
    if (!each.hasChildren) return own;
    const below = Object.fromEntries(each.children.map((child) => [child.name, walk(child)]));
    return own === undefined ? below : { "": own, ...below };
  };
  return JSON.stringify(walk(node), null, 2) ?? "";
}

function meaningOf(payload: Uint8Array): unknown {
  const text = textOf(payload);
  if (text === undefined) return lineOf(payload);
  try {
    const value: unknown = JSON.parse(text);
    return isDeep(value) ? text : value;
  } catch {
    return numberOf(text) ?? text;
  }
}

interface Line {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly qos?: 0 | 1 | 2;
  readonly properties?: {
    readonly content_type?: string;
    readonly response_topic?: string;
    readonly correlation_data_base64?: string;
    readonly payload_format_indicator?: 0 | 1;
    readonly user_properties?: readonly (readonly [string, string])[];
  };
}

/** Publishes the messages of such a file as retained ones. Lines of an export that are something else are passed over. */
export async function importLines(file: File): Promise<void> {
  const messages: Line[] = [];
  const lines = (await file.text()).split("\n");
  for (const [index, text] of lines.entries()) {
    if (text.trim() === "") continue;
    const line = messageOf(text);
    if (line === undefined) return say(`${file.name}, line ${index + 1}: expected a JSON object, its payload in Base64.`, true);
    if (line !== "other") messages.push(line);
  }
  if (messages.length === 0) return say(`${file.name} has no lines with a topic and a payload.`, true);
  await each(messages, `${file.name}: published`, (client, { topic, payload, qos = 1, properties = {} }) => {
    const { content_type, response_topic, correlation_data_base64, payload_format_indicator, user_properties } = properties;
    const named = {
      contentType: content_type,
      responseTopic: response_topic,
      correlationData: correlation_data_base64 === undefined ? undefined : bytesOfBase64(correlation_data_base64),
      payloadFormatIndicator: payload_format_indicator,
      userProperties: user_properties,
    };
    const given = Object.fromEntries(Object.entries(named).filter(([, value]) => value !== undefined));
    return client.publish(topic, payload, { qos: qos === 0 ? 1 : qos, retain: true, ...given });
  });
}

/** @returns "other": a line of something else */
function messageOf(text: string): Line | "other" | undefined {
  try {
    const line = JSON.parse(text) as (Omit<Line, "payload"> & { readonly payload?: unknown }) | null;
    if (typeof line !== "object" || line === null) return undefined;
    if (typeof line.topic !== "string" || typeof line.payload !== "string") return "other";
    const payload = bytesOfBase64(line.payload);
    return payload && { ...line, payload };
  } catch {
    return undefined;
  }
}

/** Publishes an empty retained message to each, which makes the broker forget the one that it keeps. */
export async function clear(nodes: readonly TopicNode[]): Promise<void> {
  await each(nodes, "Cleared", async (client, { topic }) => {
    await client.publish(topic, "", { qos: 1, retain: true });
    watch.tree.cleared(topic);
  });
  watch.drawn();
}

async function each<Item extends { readonly topic: string }>(
  items: readonly Item[],
  done: string,
  act: (client: Client, item: Item) => Promise<unknown>,
): Promise<void> {
  const { client } = link;
  if (client === undefined) return say("Nothing was published: there is no connection.", true);
  let next = 0;
  try {
    for (; next < items.length; next += AT_ONCE) await Promise.all(items.slice(next, next + AT_ONCE).map((item) => act(client, item)));
    say(`${done} ${items.length === 1 ? items[0]!.topic : `${items.length} topics`}.`);
  } catch (error) {
    say(`It stopped after ${next} of ${items.length}: ${sentence(error)}`, true);
  }
}
