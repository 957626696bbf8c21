/** Which view is open: the part of the address behind `#`, so that views can be linked to and gone back to. */
import { computed, signal } from "@preact/signals";

export const VIEWS = ["topics", "messages", "clients", "overview", "access"] as const;
export type View = (typeof VIEWS)[number];

const hash = signal(location.hash);
addEventListener("hashchange", () => {
  hash.value = location.hash;
});

/** The view, and what of it: `#/clients/door` is the client `door`. */
export const route = computed<{ readonly view: View; readonly rest: string | undefined }>(() => {
  const [, name = "", rest] = hash.value.match(/^#\/([a-z]+)(?:\/(.*))?$/) ?? [];
  const view = VIEWS.find((each) => each === name) ?? "topics";
  return { view, rest: rest === undefined || rest === "" ? undefined : decoded(rest) };
});

/** @returns the address of a view, for a link */
export function hrefOf(view: View, rest?: string): string {
  return rest === undefined ? `#/${view}` : `#/${view}/${encodeURIComponent(rest)}`;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
