/** Whether there is room for one thing at a time, as on a phone. The style sheets say the same. */
import { signal } from "@preact/signals";

const query = matchMedia("(width < 48rem)");

export const isNarrow = signal(query.matches);

query.addEventListener("change", () => {
  isNarrow.value = query.matches;
});
