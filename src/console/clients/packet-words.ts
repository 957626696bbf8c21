/** What a packet says, in a line: in the words of the specification. */
import { reasonText } from "../../client/index.ts";
import { sizeText } from "../parts/numbers.ts";
import { VERSION_NAMES } from "./client-facts.ts";

/** What a packet says, by the API's names of fields. */
export type PacketFields = Readonly<Record<string, unknown>>;

/** Below 0x80 a Reason Code may mean something else than that all is well. */
const GOOD_WORDS: Readonly<Record<string, Readonly<Record<number, string>>>> = {
  DISCONNECT: { 0: "normal", 4: "with will message" },
  AUTH: { 24: "continue authentication", 25: "re-authenticate" },
  PUBACK: { 16: "no matching subscribers" },
  PUBREC: { 16: "no matching subscribers" },
  UNSUBACK: { 17: "no subscription existed" },
};

const FAILURES = 0x80;

/** Whether the packet says that something is not as it should be. */
export function isBad(packet: string, fields: PacketFields): boolean {
  const { reason_code: code, reason_codes: codes } = fields;
  const all = [code, ...(Array.isArray(codes) ? codes : [])];
  return packet === "malformed" || all.some((each) => typeof each === "number" && each >= FAILURES);
}

export function wordsOf(packet: string, fields: PacketFields): string {
  const said: (string | false | undefined)[] = [...ofPacket(packet, fields), ofReason(packet, fields)];
  const { packet_id: id, size, cut } = fields;
  if (typeof id === "number" && id > 0) said.push(`id ${id}`);
  if (cut === true) said.push("too large to be told whole");
  if (typeof size === "number" && packet === "PUBLISH") said.push(sizeText(size));
  return said.filter((each) => typeof each === "string" && each !== "").join(" · ");
}

function ofPacket(packet: string, fields: PacketFields): (string | false)[] {
  const { proto_ver: version, username, clean_start: clean, keepalive, will_topic: will, session_present: present } = fields;
  const { topic, qos, retain, dup } = fields;
  // Of a packet that is cut lists are not told.
  const filters = (fields.filters ?? []) as readonly PacketFields[];
  switch (packet) {
    case "CONNECT":
      return [
        version !== undefined && `MQTT ${VERSION_NAMES[version as 3 | 4 | 5] ?? version}`,
        typeof username === "string" && `user ${username}`,
        clean === true && "Clean Start",
        keepalive !== undefined && `Keep Alive ${keepalive} s`,
        typeof will === "string" && `will ${will}`,
      ];
    case "CONNACK":
      return [present === true && "Session Present"];
    case "PUBLISH":
      return [String(topic ?? ""), qos !== undefined && `QoS ${qos}`, retain === true && "retain", dup === true && "DUP"];
    case "SUBSCRIBE":
      return filters.map((each) => `${each.topic} (QoS ${each.qos})`);
    case "UNSUBSCRIBE":
      return filters.map((each) => String(each.topic));
    case "malformed":
      return [String(fields.problem ?? "")];
    case "closed":
      return ["the connection is over"];
    case "close":
      return ["the broker ends the connection", typeof fields.reason === "string" && fields.reason];
    default:
      return [];
  }
}

function ofReason(packet: string, { reason_code: code, reason_codes: codes }: PacketFields): string {
  if (Array.isArray(codes)) return codes.map((each) => reasonOf(packet, each as number)).join(", ");
  return typeof code === "number" && (code !== 0 || packet === "DISCONNECT") ? reasonOf(packet, code) : "";
}

function reasonOf(packet: string, code: number): string {
  if (code >= FAILURES) return `${reasonText(code)} (0x${code.toString(16)})`;
  if (packet === "SUBACK") return `granted QoS ${code}`;
  return GOOD_WORDS[packet]?.[code] ?? reasonText(code);
}
