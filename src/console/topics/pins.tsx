/** Topics that stay in sight, with their values. */
import { lineOf } from "../payload/formats.ts";
import { watch } from "./watch.ts";

export function Pins() {
  watch.moment.value;
  const pinned = watch.pinned.value;
  if (pinned.length === 0) return null;
  return (
    <ul class="pins" aria-label="Pinned topics">
      {pinned.map((topic) => {
        const payload = watch.tree.find(topic)?.value?.payload;
        return (
          <li key={topic}>
            <button type="button" class="plain pin" onClick={() => watch.look(topic)}>
              <code>{topic}</code>
              <span class="value">{payload === undefined ? "–" : lineOf(payload, 60)}</span>
            </button>
            <button type="button" class="plain" aria-label={`Unpin ${topic}`} onClick={() => watch.pin(topic, false)}>
              ×
            </button>
          </li>
        );
      })}
    </ul>
  );
}
