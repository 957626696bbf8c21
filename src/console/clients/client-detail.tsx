/** One client: what is known of it, its subscriptions, what waits for it, its packets; and to end its connection, or to shut it out. */
import { useState } from "preact/hooks";
import { BanDialog } from "../access/ban-form.tsx";
import { Refused } from "../parts/needs-token.tsx";
import { Notice } from "../parts/notice.tsx";
import { usePolled } from "../parts/polled.ts";
import { asked, say } from "../parts/question.tsx";
import { hrefOf } from "../route.ts";
import { ApiProblem } from "../session/api.ts";
import { sentence } from "../session/link.ts";
import { api } from "../session/session.ts";
import { type ClientFacts, pathOf, rowsOf } from "./client-facts.ts";
import { found } from "./found.ts";
import { Packets } from "./packets.tsx";
import { Subscriptions } from "./subscriptions.tsx";
import { Waiting } from "./waiting.tsx";

const LOOK_MS = 2000;

export function ClientDetail({ clientId }: { readonly clientId: string }) {
  const now = api.value;
  const path = pathOf(clientId);
  const { answer, error, again } = usePolled((signal) => now.get<ClientFacts>(path, {}, signal), [now, path], LOOK_MS);
  const isGone = error instanceof ApiProblem && error.code === "CLIENTID_NOT_FOUND";
  const client = isGone ? undefined : answer;
  return (
    <>
      <header class="bar title">
        <a class="back button" href={hrefOf("clients")} aria-label="Back to the clients">
          ←
        </a>
        <h2 class="topic">{clientId}</h2>
        {client !== undefined && <span class={`badge ${client.connected ? "good" : ""}`}>{client.connected ? "connected" : "away"}</span>}
        <Actions clientId={clientId} client={client} onDone={again} />
      </header>
      {error !== undefined && !isGone && <Refused error={error} scope="read" onRetry={again} />}
      {isGone && (
        <Notice kind="note">
          There is no session of this client: it has not connected yet, or its session has ended. Its packets can be watched all the same,
          from its next CONNECT on.
        </Notice>
      )}
      {client === undefined && error === undefined && <p class="nothing">Loading …</p>}
      {client !== undefined && <Facts client={client} />}
      {(client !== undefined || isGone) && <Packets key={clientId} clientId={clientId} />}
      {client !== undefined && (
        <>
          <Subscriptions client={client} onDone={again} />
          <Waiting client={client} kind="inflight" count={client.inflight_cnt} />
          <Waiting client={client} kind="mqueue" count={client.mqueue_len} />
        </>
      )}
    </>
  );
}

function Facts({ client }: { readonly client: ClientFacts }) {
  return (
    <dl class="facts">
      {rowsOf(client, Date.now()).map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

interface ActionsProps {
  readonly clientId: string;
  /** Undefined where it has no session. */
  readonly client: ClientFacts | undefined;
  readonly onDone: () => void;
}

function Actions({ clientId, client, onDone }: ActionsProps) {
  const [isBanning, setBanning] = useState(false);
  const kick = async (): Promise<void> => {
    const text = `The broker ends the connection of ${clientId} (0x98, Administrative action). Its session stays, and it may connect again at once: to keep it out, ban it.`;
    if (!(await asked(`Kick ${clientId}?`, text, "Kick"))) return;
    try {
      await api.value.send("DELETE", pathOf(clientId));
      say(`${clientId} was disconnected.`);
    } catch (error) {
      say(`${clientId} was not disconnected: ${sentence(error)}`, true);
    }
    onDone();
    found.again();
  };
  return (
    <div class="buttons">
      <button type="button" class="danger" disabled={client?.connected !== true} onClick={kick}>
        Kick …
      </button>
      <button type="button" class="danger" onClick={() => setBanning(true)}>
        Ban …
      </button>
      {isBanning && (
        <BanDialog
          choices={{ clientid: clientId, username: client?.username ?? "", peerhost: client?.ip_address ?? "" }}
          onClose={() => {
            setBanning(false);
            onDone();
            found.again();
          }}
        />
      )}
    </div>
  );
}
