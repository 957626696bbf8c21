/** The properties of a message (MQTT 5.0). */
import { useState } from "preact/hooks";
import type { MessageProperties } from "../../client/index.ts";
import { countText } from "../parts/numbers.ts";
import { countOf, rowsOf } from "./property-rows.ts";

/** Before somebody asks for more, and how many more he gets. */
const SHOWN = 100;
const MORE = 1000;

export function PropertiesOf({ properties }: { readonly properties: MessageProperties }) {
  const [shown, setShown] = useState(SHOWN);
  const rows = rowsOf(properties, shown);
  if (rows.length === 0) return null;
  const more = countOf(properties) - rows.length;
  return (
    <>
      <dl class="facts properties">
        {rows.map(([name, value], index) => (
          <div key={index}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      {more > 0 && (
        <button type="button" class="link" onClick={() => setShown(shown + MORE)}>
          {countText(more)} more properties
        </button>
      )}
    </>
  );
}
