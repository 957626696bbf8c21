/** A sentence about something that is not as it should be, and what can be done. */
import type { ComponentChildren } from "preact";

interface Props {
  readonly kind: "bad" | "away" | "good" | "note";
  readonly children: ComponentChildren;
}

export function Notice({ kind, children }: Props) {
  return (
    <div class={`notice ${kind}`} role={kind === "bad" ? "alert" : "status"}>
      {children}
    </div>
  );
}
