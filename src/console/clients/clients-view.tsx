/** The clients of the broker: on the left those that are there, connected or with a session that waits, on the right the one that is looked at. */
import { useEffect } from "preact/hooks";
import { Refused } from "../parts/needs-token.tsx";
import { route } from "../route.ts";
import { ApiProblem } from "../session/api.ts";
import { ClientDetail } from "./client-detail.tsx";
import { ClientList } from "./client-list.tsx";
import { found } from "./found.ts";

export function ClientsView() {
  useEffect(() => found.watch(), []);
  const { error } = found.found.value;
  const open = route.value.view === "clients" ? route.value.rest : undefined;
  if (error instanceof ApiProblem && error.isOfToken) return <Refused error={error} scope="read" onRetry={() => found.again()} />;
  return (
    <div class="split" data-detail={open === undefined ? undefined : "open"}>
      <section class="pane" aria-label="Clients">
        <ClientList open={open} />
      </section>
      <section class="pane detail" aria-label="Client">
        {open === undefined ? (
          <p class="nothing">Choose a client to see what it is subscribed to, what waits for it, and its packets.</p>
        ) : (
          <ClientDetail key={open} clientId={open} />
        )}
      </section>
    </div>
  );
}
