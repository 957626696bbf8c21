/** What a token's claims give: rights, attributes and a Client Identifier. What is not right in them refuses the token: a slip must not open anything. */

import { makeGrants } from "./grants.ts";
import { type Claims, claimOf } from "./jwt-claims.ts";
import { isClientId } from "./login-words.ts";

export type Problem = { readonly problem: string };

/** `clientid_override`: the Client Identifier that the client has, whatever it says. */
export function clientIdOf(claims: Claims): { readonly clientId?: string } | Problem {
  const clientId = claimOf(claims, "clientid_override");
  if (clientId === undefined) return {};
  if (isClientId(clientId)) return { clientId };
  return { problem: "clientid_override of the token is no Client Identifier" };
}

/**
 * The text of the rights that come with the login; without any in the token it says that there are none.
 * @param claimNames the claims that rules for everybody ask for
 */
export function grantsOf(claims: Claims, claimNames: readonly string[]): { readonly text: string } | Problem {
  const superuser = claimOf(claims, "is_superuser");
  const attributes = claimOf(claims, "client_attrs");
  if (superuser !== undefined && typeof superuser !== "boolean") return { problem: "is_superuser of the token must be true or false" };
  if (attributes !== undefined && !areTexts(attributes)) return { problem: "client_attrs of the token must be texts by their names" };
  const { text, problems } = makeGrants({ superuser, acl: claimOf(claims, "acl"), attributes, claims, claimNames });
  return problems.length === 0 ? { text } : { problem: `the token gives rights that are none: ${problems[0]!.replace(/\.$/, "")}` };
}

function areTexts(value: unknown): value is Record<string, string> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  return Object.values(value).every((each) => typeof each === "string");
}
