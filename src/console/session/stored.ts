/** What the console remembers of how it is looked at, in this browser: never a secret. */
import { effect, type Signal, signal } from "@preact/signals";

/** A signal that outlives the page. Where a browser keeps nothing, or something else is there, it begins as `initial`. */
export function stored<Value>(name: string, initial: Value): Signal<Value> {
  const key = `durable-mqtt ${name}`;
  const kept = signal<Value>(initial);
  try {
    const text = localStorage.getItem(key);
    if (text !== null) kept.value = JSON.parse(text) as Value;
  } catch {
    // As it begins.
  }
  effect(() => {
    const text = JSON.stringify(kept.value);
    try {
      localStorage.setItem(key, text);
    } catch {
      // Nothing is kept, or there is no room.
    }
  });
  return kept;
}
