/**
 * What a hook says of a client that wants in, an HTTP service and a Worker alike: JSON in the shape that EMQX's users know. Whatever is not
 * as it should be is no answer: a slip must not let anybody in, nor give rights that nobody meant.
 */

import type { Connect } from "../mqtt/packet.ts";
import { BAD_USER_NAME_OR_PASSWORD, NOT_AUTHORIZED } from "../mqtt/reason-code.ts";
import { type Admission, type Caller, NOBODY, type Refusal } from "../session/ports.ts";
import { makeGrants } from "./grants.ts";
import { isClientId, SECONDS_END } from "./login-words.ts";

/** What a hook has decided. */
export interface Verdict {
  readonly result: "allow" | "deny" | "ignore";
  /** Of who is allowed. */
  readonly login?: Pick<Admission, "clientId" | "grants" | "expiresAt">;
}

/** An answer without a body that lets the client in: it brings no rights. */
export const ALLOWED: Verdict = { result: "allow", login: { grants: "{}", expiresAt: Number.POSITIVE_INFINITY } };
export const ALLOWED_EVERYTHING: Verdict = {
  result: "allow",
  login: { grants: '{"superuser":true}', expiresAt: Number.POSITIVE_INFINITY },
};
export const DENIED: Verdict = { result: "deny" };

const REFUSED: Refusal = { reasonCode: NOT_AUTHORIZED, message: "the authentication service does not let this client in" };
const EXPIRED: Refusal = { reasonCode: NOT_AUTHORIZED, message: "the login has expired" };
/** Something of it has no place in the question, or is no text. */
export const CANT_BE_ASKED: Refusal = {
  reasonCode: BAD_USER_NAME_OR_PASSWORD,
  message: "the authentication service can't be asked about this client ID, user name or password",
};

/** @returns the verdict, or what is wrong, as the end of a sentence which repeats nothing of the answer */
export function judgeAnswer(answer: unknown): Verdict | string {
  if (typeof answer !== "object" || answer === null || Array.isArray(answer)) return "its answer is no JSON object";
  const fields = new Map<string, unknown>(Object.entries(answer));
  const result = fields.has("result") ? fields.get("result") : "ignore";
  if (result === "deny" || result === "ignore") return { result };
  if (result !== "allow") return "its answer has a result other than allow, deny and ignore";
  const expires = fields.get("expire_at");
  const isTime = Number.isInteger(expires) && (expires as number) >= 0 && (expires as number) < SECONDS_END;
  if (expires !== undefined && !isTime) return "its answer has an expire_at that is no time in whole seconds";
  const clientId = fields.get("clientid_override");
  if (clientId !== undefined && !isClientId(clientId)) return "its answer has a clientid_override that is no Client Identifier";
  const superuser = fields.get("is_superuser");
  if (superuser !== undefined && typeof superuser !== "boolean") return "its answer has an is_superuser that is neither true nor false";
  const { text: grants, problems } = makeGrants({ superuser, acl: fields.get("acl"), attributes: fields.get("client_attrs") });
  if (problems.length > 0) return `its answer gives rights that are none: ${problems[0]!.replace(/\.$/, "")}`;
  const expiresAt = expires === undefined ? Number.POSITIVE_INFINITY : (expires as number) * 1000;
  return { result, login: { ...(clientId === undefined ? {} : { clientId }), grants, expiresAt } };
}

/** What a verdict means for a client now; undefined = it is for the next one to decide. */
export function answerTo(
  { result, login }: Verdict,
  { userName }: Connect,
  { address }: Caller,
  now: number,
): Admission | Refusal | undefined {
  if (result === "ignore") return undefined;
  if (login === undefined) return REFUSED;
  return login.expiresAt <= now ? EXPIRED : { ...NOBODY, ...login, userName, address };
}

/** Passwords are bytes; those that hooks are told are texts. @returns undefined when it is none */
export function passwordText(password: Uint8Array | undefined): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(password);
  } catch {
    return undefined;
  }
}
