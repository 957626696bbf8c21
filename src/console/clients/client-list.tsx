/** The list of clients, with a search and filters. By arrow keys as lists are. */
import { useEffect, useState } from "preact/hooks";
import { Refused } from "../parts/needs-token.tsx";
import { countText, timeText } from "../parts/numbers.ts";
import { Rows } from "../parts/rows.tsx";
import { SearchField } from "../parts/search-field.tsx";
import { hrefOf } from "../route.ts";
import { type ClientFacts, VERSION_NAMES } from "./client-facts.ts";
import { EVERYBODY, found, type Wanted } from "./found.ts";

/** As in the style sheet. */
const ROW_HEIGHT = 28;
/** Until somebody has written what he searches for. */
const WRITTEN_MS = 250;

export function ClientList({ open }: { readonly open: string | undefined }) {
  return (
    <>
      <Filters />
      <List open={open} />
      <Foot />
    </>
  );
}

function Filters() {
  const { of, state, version } = found.wanted.value;
  const [text, setText] = useState(found.wanted.peek().text);
  const [address, setAddress] = useState(found.wanted.peek().address);
  const set = (change: Partial<Wanted>): void => {
    found.wanted.value = { ...found.wanted.peek(), ...change };
  };
  useEffect(() => {
    const wanted = found.wanted.peek();
    if (wanted.text === text && wanted.address === address.trim()) return;
    const timer = setTimeout(() => set({ text, address: address.trim() }), WRITTEN_MS);
    return () => clearTimeout(timer);
  }, [text, address]);
  return (
    <form class="bar client-filters" aria-label="Which clients" onSubmit={(event) => event.preventDefault()}>
      <div class="bar grow search">
        <SearchField label={of === "clientid" ? "Search client IDs" : "Search user names"} value={text} onSearch={setText} />
        <Choice
          label="Search in"
          value={of}
          choices={{ clientid: "Client IDs", username: "User names" }}
          onChoose={(value) => set({ of: value })}
        />
      </div>
      <Choice
        label="State"
        value={state}
        choices={{ "": "All states", connected: "Connected", disconnected: "Away" }}
        onChoose={(value) => set({ state: value })}
      />
      <Choice
        label="Protocol version"
        value={version}
        choices={{ "": "Any MQTT", 5: "5.0", 4: "3.1.1", 3: "3.1" }}
        onChoose={(value) => set({ version: value })}
      />
      <input
        class="address"
        value={address}
        onInput={({ currentTarget }) => setAddress(currentTarget.value)}
        placeholder="Address"
        aria-label="IP address"
        autocomplete="off"
        spellcheck={false}
      />
    </form>
  );
}

interface ChoiceProps<Value extends string> {
  readonly label: string;
  readonly value: Value;
  readonly choices: Readonly<Record<Value, string>>;
  readonly onChoose: (value: Value) => void;
}

function Choice<Value extends string>({ label, value, choices, onChoose }: ChoiceProps<Value>) {
  return (
    <label>
      <span class="unseen">{label}</span>
      <select value={value} onChange={({ currentTarget }) => onChoose(currentTarget.value as Value)}>
        {(Object.entries(choices) as [Value, string][]).map(([each, words]) => (
          <option key={each} value={each}>
            {words}
          </option>
        ))}
      </select>
    </label>
  );
}

function List({ open }: { readonly open: string | undefined }) {
  const { clients, error, at } = found.found.value;
  const index = open === undefined ? -1 : clients.findIndex(({ clientid }) => clientid === open);
  const look = (next: number): void => {
    const client = clients[Math.max(0, Math.min(clients.length - 1, next))];
    // Not one step back for each that was passed.
    if (client !== undefined) location.replace(hrefOf("clients", client.clientid));
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    const step = {
      ArrowDown: index + 1,
      ArrowUp: Math.max(0, index - 1),
      PageDown: index + 20,
      PageUp: index - 20,
      Home: 0,
      End: clients.length - 1,
    }[event.key];
    if (step === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    look(step);
  };
  return (
    <>
      {error !== undefined && <Refused error={error} scope="read" onRetry={() => found.again()} />}
      {clients.length === 0 ? (
        (error === undefined || at !== undefined) && <Nobody />
      ) : (
        <>
          <div class="row client head" aria-hidden="true">
            <span class="dot" />
            <span class="id">Client ID</span>
            <span class="user">User name</span>
            <span class="where">Address</span>
            <span class="version">MQTT</span>
            <span class="number" title="Subscriptions">
              Subs
            </span>
            <span class="number" title="Messages in flight, and waiting">
              Queue
            </span>
          </div>
          <Rows
            class="list"
            role="listbox"
            aria-label="Clients"
            tabIndex={0}
            aria-activedescendant={index < 0 ? undefined : `client-${index}`}
            onKeyDown={onKeyDown}
            count={clients.length}
            rowHeight={ROW_HEIGHT}
            seen={index < 0 ? undefined : index}
            row={(at) => <Row key={clients[at]!.clientid} client={clients[at]!} index={at} isOpen={at === index} />}
          />
        </>
      )}
    </>
  );
}

interface RowProps {
  readonly client: ClientFacts;
  readonly index: number;
  readonly isOpen: boolean;
}

function Row({ client, index, isOpen }: RowProps) {
  const { clientid, username, ip_address: address, connected, proto_ver: version, subscriptions_cnt: subscriptions } = client;
  const waiting = client.inflight_cnt + client.mqueue_len;
  const state = connected ? "connected" : "away";
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the list has the keys
    // biome-ignore lint/a11y/useFocusableInteractive: the list has the focus, and names this one as the active one
    <div
      id={`client-${index}`}
      role="option"
      class="row client"
      aria-selected={isOpen}
      onClick={() => {
        location.hash = hrefOf("clients", clientid);
      }}
    >
      <span class="dot" data-state={state} aria-hidden="true" title={connected ? "Connected" : "Away: its session waits"} />
      <code class="id">{clientid}</code>
      <span class="unseen">{state}</span>
      <span class="user">{username ?? ""}</span>
      <span class="where">{address ?? ""}</span>
      <span class="version">{version === undefined ? "" : VERSION_NAMES[version]}</span>
      <Count count={subscriptions} of="subscriptions" />
      <Count count={waiting} of="waiting" isWarm />
    </div>
  );
}

interface CountProps {
  readonly count: number;
  /** For those who do not see the column. */
  readonly of: string;
  readonly isWarm?: boolean;
}

function Count({ count, of, isWarm = false }: CountProps) {
  return (
    <span class={isWarm ? "number warm" : "number"}>
      {count > 0 && (
        <>
          {countText(count)} <span class="unseen">{of}</span>
        </>
      )}
    </span>
  );
}

function Nobody() {
  const { at, cursor, isAsking } = found.found.value;
  if (at === undefined) return <p class="nothing">Loading …</p>;
  if (found.wanted.value === EVERYBODY || JSON.stringify(found.wanted.value) === JSON.stringify(EVERYBODY))
    return <p class="nothing">No client is here yet. Whoever connects is listed, and so is a session that waits for its client.</p>;
  return (
    <div class="nothing">
      <p>{cursor === undefined ? "No client is like that." : "No client of those that were looked at is like that."}</p>
      {cursor !== undefined && (
        <button type="button" disabled={isAsking} onClick={() => found.more()}>
          {isAsking ? "Looking …" : "Look further"}
        </button>
      )}
    </div>
  );
}

function Foot() {
  const { clients, cursor, at, isAsking } = found.found.value;
  if (at === undefined) return null;
  const away = clients.filter(({ connected }) => !connected).length;
  const count = `${countText(clients.length)}${cursor === undefined ? "" : "+"} ${clients.length === 1 ? "client" : "clients"}`;
  return (
    <div class="foot bar">
      <span role="status">
        {count}
        {away > 0 && `, ${countText(away)} away`}
      </span>
      {cursor !== undefined && clients.length > 0 && (
        <button type="button" disabled={isAsking} onClick={() => found.more()}>
          {isAsking ? "Looking …" : "More clients"}
        </button>
      )}
      <span class="gap" />
      <span>as of {timeText(at)}</span>
      <button type="button" disabled={isAsking} onClick={() => found.again()}>
        Refresh
      </button>
    </div>
  );
}
