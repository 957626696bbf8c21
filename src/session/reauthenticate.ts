/**
 * AUTH on a live connection (4.12.1): the client authenticates anew, by the method of its CONNECT, while everything else goes on. The
 * exchange itself takes time and leaves through the ReauthenticationPort; its answers come back as events.
 */

import { EMPTY_BYTES } from "../mqtt/bytes.ts";
import { AUTH, type Auth, DISCONNECT } from "../mqtt/packet.ts";
import { CONTINUE_AUTHENTICATION, NOT_AUTHORIZED, PROTOCOL_ERROR, REASON_CODES, REAUTHENTICATE, SUCCESS } from "../mqtt/reason-code.ts";
import { type ConnectionFacts, encodeFor } from "./connection-facts.ts";
import type { SessionCore } from "./core.ts";
import { violated } from "./lifecycle.ts";
import type { AuthenticationStep, Refusal } from "./ports.ts";
import { replaceIdentity } from "./rights.ts";
import type { Connection, OpenReauthentication } from "./session.ts";

/**
 * The AUTH with which the broker goes on or, on a live connection, ends.
 * @returns undefined when it is larger than the client accepts [MQTT5-3.1.2-24]: the exchange can't go on then
 */
export function encodeAuth(
  reasonCode: typeof SUCCESS | typeof CONTINUE_AUTHENTICATION,
  method: string,
  data: Uint8Array | undefined,
  facts: ConnectionFacts,
): Uint8Array | undefined {
  // [MQTT5-4.12.0-5]; it has no Reason String and no User Property that could be too much [MQTT5-3.15.2-2] [MQTT5-3.15.2-3].
  const properties = { authenticationMethod: method, ...(data === undefined ? {} : { authenticationData: data }) };
  return encodeFor({ type: AUTH, reasonCode, properties }, facts);
}

/** What a client is told for whom `encodeAuth` has nothing. */
export const NO_ROOM_TO_AUTHENTICATE: Refusal = {
  reasonCode: NOT_AUTHORIZED,
  message: "the client's Maximum Packet Size leaves no room for the authentication",
};

/** AUTH from the client of a live connection. */
export function handleAuth(core: SessionCore, connection: Connection, packet: Auth): void {
  const problem = problemOf(connection, packet);
  if (problem !== undefined) {
    violated(core, connection, PROTOCOL_ERROR, problem);
    return;
  }
  const open = connection.reauthentication ?? begin(core, connection, packet.properties.authenticationMethod!);
  if (open === undefined) {
    // [MQTT5-4.12.1-2]: the settings have changed since CONNECT.
    violated(core, connection, NOT_AUTHORIZED, "the Authentication Method is no longer supported");
    return;
  }
  open.clientsTurn = false;
  open.exchange.step(packet.properties.authenticationData ?? EMPTY_BYTES);
}

/** What makes an AUTH a Protocol Error; undefined when nothing does. */
function problemOf({ facts, reauthentication }: Connection, { reasonCode, properties }: Auth): string | undefined {
  // [MQTT5-4.12.0-7]
  if (facts.authenticationMethod === undefined) return "AUTH without an Authentication Method in CONNECT";
  // [MQTT5-4.12.1-1] [MQTT5-4.12.0-5] [5.0/3.15/no-method]
  if (properties.authenticationMethod !== facts.authenticationMethod) return OTHER_METHOD;
  if (reasonCode === REAUTHENTICATE) return reauthentication === undefined ? undefined : "AUTH 0x19 while a re-authentication is under way";
  // [MQTT5-3.15.2-1] [MQTT5-4.12.0-3]
  if (reasonCode !== CONTINUE_AUTHENTICATION) return "AUTH with a Reason Code that only a Server may send";
  return reauthentication?.clientsTurn === true ? undefined : "AUTH 0x18 that nothing was asked for";
}

export const OTHER_METHOD = "AUTH needs the Authentication Method of CONNECT";

function begin(core: SessionCore, connection: Connection, method: string): OpenReauthentication | undefined {
  const { clientId, identity } = connection.session;
  const exchange = core.reauthentication.begin(method, clientId, identity.address, {
    answered(step, now) {
      core.now = now;
      core.failures.guard("answering its AUTH", connection.session, () => handleAnswer(core, connection, method, step));
    },
  });
  if (exchange !== undefined) connection.reauthentication = { exchange, clientsTurn: true };
  return connection.reauthentication;
}

/** An answer of the exchange. [5.0/4.12.1/traffic]: until its end nothing has changed for other packets. */
function handleAnswer(core: SessionCore, connection: Connection, method: string, step: AuthenticationStep): void {
  const open = connection.reauthentication;
  if (!connection.open || open === undefined) return;
  const answer = answerOf(connection, method, step);
  if (!(answer instanceof Uint8Array)) {
    // [MQTT5-4.12.1-2]; DISCONNECT does not have all the codes of CONNACK.
    const reasonCode = REASON_CODES[DISCONNECT]!.has(answer.reasonCode) ? answer.reasonCode : NOT_AUTHORIZED;
    violated(core, connection, reasonCode, answer.message);
    return;
  }
  open.clientsTurn = true;
  if ("kind" in step && step.kind === "success") {
    connection.reauthentication = undefined;
    replaceIdentity(core, connection.session, step.identity);
  }
  connection.write(answer);
}

function answerOf({ session, facts }: Connection, method: string, step: AuthenticationStep): Uint8Array | Refusal {
  if ("reasonCode" in step) return step;
  // Session, will and subscriptions were granted to one user: another one has to connect.
  if (step.kind === "success" && step.identity.userName !== session.identity.userName) {
    return { reasonCode: NOT_AUTHORIZED, message: "to go on as another user, connect again" };
  }
  if (step.kind === "success" && (step.identity.clientId ?? session.clientId) !== session.clientId) {
    return { reasonCode: NOT_AUTHORIZED, message: "to go on under another Client Identifier, connect again" };
  }
  const reasonCode = step.kind === "success" ? SUCCESS : CONTINUE_AUTHENTICATION;
  return encodeAuth(reasonCode, method, step.data, facts) ?? NO_ROOM_TO_AUTHENTICATE;
}
