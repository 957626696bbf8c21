/** A client as the HTTP API tells of it, and what is said of it in words. */
import { partOf } from "../../api/path-part.ts";
import { momentText, spanText } from "../parts/numbers.ts";

export interface ClientFacts {
  readonly clientid: string;
  /** Null: it has connected without one. */
  readonly username: string | null;
  /** Null where it is not known. */
  readonly ip_address: string | null;
  readonly connected: boolean;
  /** While it is connected. */
  readonly connected_at?: string;
  readonly proto_ver?: 3 | 4 | 5;
  readonly keepalive?: number;
  /** When its last connection was over, and why; missing where that is not known. */
  readonly disconnected_at?: string;
  readonly reason?: string;
  readonly reason_string?: string;
  readonly expires_at?: string;
  readonly expiry_interval: number;
  readonly subscriptions_cnt: number;
  readonly inflight_cnt: number;
  readonly mqueue_len: number;
  readonly awaiting_rel_cnt: number;
}

/** @param of it, such as `/subscriptions` @returns where the HTTP API has it */
export function pathOf(clientId: string, of = ""): string {
  const { part, query } = partOf("clientid", clientId);
  return `/clients/${part}${of}${query}`;
}

export const VERSION_NAMES = { 3: "3.1", 4: "3.1.1", 5: "5.0" } as const;

/** Session Expiry Interval: as long as there is a broker. */
const NEVER = 0xffff_ffff;

/** By the names of `$events/client/disconnected`. */
const ENDINGS: Readonly<Record<string, string>> = {
  normal: "it said DISCONNECT",
  disconnect_with_will_message: "it said DISCONNECT, and left its will",
  socket_closed: "the connection was lost without a word",
  keepalive_timeout: "nothing came within its Keep Alive",
  takenover: "another connection took over its client ID",
  kicked: "an operator ended the connection",
  not_authorized: "it was not allowed to stay",
};

/** Why its last connection ended; undefined where nobody knows. */
export function endingOf({ reason, reason_string: said }: ClientFacts): string | undefined {
  if (reason === undefined) return undefined;
  const words = ENDINGS[reason];
  if (words === undefined) return said === undefined || said === "" ? "an error" : said;
  return said === undefined || said === "" || reason === "kicked" ? words : `${words}: ${said}`;
}

/** What is known of a client, as rows of names and values. */
export function rowsOf(client: ClientFacts, now: number): (readonly [name: string, value: string])[] {
  const rows: (readonly [string, string])[] = [];
  const { connected_at: since, disconnected_at: until, expires_at: end, proto_ver: version, keepalive } = client;
  const ago = (time: string): string => `${momentText(time)}, for ${spanText(Math.max(0, now - Date.parse(time)) / 1000)}`;
  if (client.connected && since !== undefined) rows.push(["Connected since", ago(since)]);
  if (until !== undefined) rows.push(client.connected ? ["Last disconnected", momentText(until)] : ["Away since", ago(until)]);
  const ending = endingOf(client);
  if (ending !== undefined) rows.push(["Because", ending]);
  if (end !== undefined) rows.push(["Session ends", end === "infinity" ? "never" : momentText(end)]);
  rows.push(["User name", client.username ?? "none (anonymous)"]);
  rows.push(["Address", client.ip_address ?? "not known"]);
  if (version !== undefined) rows.push(["Protocol", `MQTT ${VERSION_NAMES[version]}`]);
  if (keepalive !== undefined) rows.push(["Keep Alive", keepalive === 0 ? "none" : `${keepalive} s`]);
  rows.push(["Session Expiry", expiryText(client.expiry_interval)]);
  if (client.awaiting_rel_cnt > 0) rows.push(["QoS 2 not released", String(client.awaiting_rel_cnt)]);
  return rows;
}

function expiryText(seconds: number): string {
  if (seconds === 0) return "with its connection";
  return seconds >= NEVER ? "never" : spanText(seconds);
}
