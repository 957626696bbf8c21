/** The properties of a message (MQTT 5.0), by the names of the specification. */
import type { MessageProperties } from "../../client/index.ts";
import { hexOf, textOf } from "./formats.ts";

export function PropertiesOf({ properties }: { readonly properties: MessageProperties }) {
  const rows = rowsOf(properties);
  if (rows.length === 0) return null;
  return (
    <dl class="facts properties">
      {rows.map(([name, value], index) => (
        <div key={index}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

export function rowsOf(properties: MessageProperties): (readonly [name: string, value: string])[] {
  const { payloadFormatIndicator, messageExpiryInterval, contentType, responseTopic, correlationData, userProperties } = properties;
  const rows: (readonly [string, string])[] = [];
  if (contentType !== undefined) rows.push(["Content Type", contentType]);
  if (payloadFormatIndicator !== undefined) rows.push(["Payload Format", payloadFormatIndicator === 1 ? "UTF-8" : "unspecified"]);
  if (messageExpiryInterval !== undefined) rows.push(["Message Expiry", `${messageExpiryInterval} s`]);
  if (responseTopic !== undefined) rows.push(["Response Topic", responseTopic]);
  if (correlationData !== undefined) rows.push(["Correlation Data", textOf(correlationData) ?? hexOf(correlationData)]);
  for (const [name, value] of userProperties ?? []) rows.push([name, value]);
  return rows;
}
