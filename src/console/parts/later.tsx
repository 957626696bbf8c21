/** A view whose code is loaded when it is opened for the first time. */
import type { ComponentType } from "preact";
import { useEffect, useState } from "preact/hooks";
import { Notice } from "./notice.tsx";

export function later(load: () => Promise<ComponentType>): ComponentType {
  let loaded: ComponentType | undefined;
  return function Later() {
    const [state, setState] = useState<{ shown: ComponentType | undefined; failed: boolean }>({ shown: loaded, failed: false });
    useEffect(() => {
      load().then(
        (made) => {
          loaded = made;
          setState({ shown: made, failed: false });
        },
        () => setState({ shown: undefined, failed: true }),
      );
    }, []);
    const { shown: Shown, failed } = state;
    if (Shown !== undefined) return <Shown />;
    if (!failed) return <p class="nothing">Loading …</p>;
    return (
      <Notice kind="bad">
        This view could not be loaded.{" "}
        <button type="button" onClick={() => location.reload()}>
          Load the page again
        </button>
      </Notice>
    );
  };
}
