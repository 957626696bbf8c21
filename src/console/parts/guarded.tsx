/** A view that could not be drawn takes nothing else with it, and says so. */
import type { ComponentChildren } from "preact";
import { useErrorBoundary } from "preact/hooks";
import { Notice } from "./notice.tsx";

export function Guarded({ children }: { readonly children: ComponentChildren }) {
  const [error, again] = useErrorBoundary((thrown: unknown) => console.error(thrown));
  if (error === undefined) return <>{children}</>;
  return (
    <Notice kind="bad">
      This view could not be drawn.{" "}
      <button type="button" onClick={again}>
        Try again
      </button>
    </Notice>
  );
}
