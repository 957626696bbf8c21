/** The user whom a client certificate names, in its Common Name or in its Subject Alternative Names. The certificate was checked before. */

import type { PeerCertificate } from "node:tls";
import { utf8Length } from "../mqtt/bytes.ts";
import { USER_NAME_BYTES_MAX } from "./limits.ts";

export const NAME_PLACES = ["cert-cn", "cert-san"] as const;

export type NamePlace = (typeof NAME_PLACES)[number];

/** Alternative names that may be users, the first of them in this order is. */
const KINDS = ["email", "URI", "DNS"];

/** @returns the name; undefined where the certificate does not give one name that may be a user's */
export function userNameOf(
  { subject, subjectaltname }: Pick<PeerCertificate, "subject" | "subjectaltname">,
  place: NamePlace,
): string | undefined {
  const name = place === "cert-cn" ? subject?.CN : alternativeNameOf(subjectaltname ?? "");
  // Of several Common Names none is the client's more than another.
  return typeof name === "string" && isUserName(name) ? name : undefined;
}

function isUserName(name: string): boolean {
  return name !== "" && !name.includes("\0") && !/\p{Surrogate}/u.test(name) && utf8Length(name) <= USER_NAME_BYTES_MAX;
}

function alternativeNameOf(text: string): string | undefined {
  const names = alternativeNames(text);
  for (const kind of KINDS) {
    const found = names?.find(([each]) => each === kind);
    if (found !== undefined) return found[1];
  }
  return undefined;
}

/**
 * Node writes them as `DNS:a, URI:"b, c"`: a value that would be ambiguous is a JSON text.
 * @returns undefined for what is not in this form: nobody is let in by half of it
 */
function alternativeNames(text: string): (readonly [kind: string, name: string])[] | undefined {
  const names: [string, string][] = [];
  const each = /([A-Za-z ]+):(?:("(?:[^"\\]|\\.)*")|([^",]*))(?:, |$)/y;
  while (each.lastIndex < text.length) {
    const match = each.exec(text);
    if (match === null) return undefined;
    const [, kind, quoted, plain] = match;
    names.push([kind!, quoted === undefined ? plain! : (JSON.parse(quoted) as string)]);
  }
  return names;
}
