/** Rules of the operator for everybody: the settings ACL and ACL_NO_MATCH. What ACL contains is never repeated in a sentence. */

import { type Setting, secret, setting } from "../setting.ts";
import { parseAclText } from "./rules.ts";

/** What no rule speaks of. */
const NO_MATCH = ["deny", "allow"] as const;

export interface AclSettings {
  /** JSON as given, may be empty. */
  readonly rules: string;
  readonly noMatch: (typeof NO_MATCH)[number];
}

export const NO_ACL: AclSettings = { rules: "", noMatch: "deny" };

/** In the order of the documentation. */
export const ACL_SETTINGS = {
  rules: secret(
    "ACL",
    "a JSON array of rules, or nothing",
    'rules for all clients, asked when those of the login say nothing: a JSON array of `{"permission", "action", "topics"}`, [described there](security.md#rights). It may be a variable as well',
    (text) => text,
  ),
  noMatch: setting(
    "ACL_NO_MATCH",
    NO_ACL.noMatch,
    NO_MATCH.join(" or "),
    "what no rule speaks of; `$` topics are denied even so. Without `ACL` anonymous clients may do everything but those",
    (text) => NO_MATCH.find((each) => each === text),
  ),
} satisfies { readonly [Field in keyof AclSettings]: Setting<AclSettings[Field]> };

/** @returns sentences that name index and field and quote nothing */
export function aclProblems({ rules }: AclSettings): readonly { readonly variable: string; readonly sentence: string }[] {
  return parseAclText(rules, "ACL").problems.map((sentence) => ({ variable: "ACL", sentence }));
}
