/**
 * The rights of a user of the directory, as text: JSON with what its rules say, and in it, as an attribute, which of the user's credentials
 * a login was made with. So a login of the directory is told from one by token or of the variable USERS with the same name, and one that is
 * over from one that is not, by whoever has no more than this text.
 */

/** An attribute that no login may bring by itself. */
export const CREDENTIAL = "directory";

interface Grants {
  readonly attributes?: Readonly<Record<string, string>>;
}

/** @param rights JSON of an object */
export function withCredential(rights: string, credential: number): string {
  const grants = JSON.parse(rights) as Grants;
  return JSON.stringify({ ...grants, attributes: { ...grants.attributes, [CREDENTIAL]: String(credential) } });
}

/** @returns undefined for the rights of a login that is not the directory's */
export function credentialOf(grants: string): number | undefined {
  if (!grants.includes(`"${CREDENTIAL}"`)) return undefined;
  const credential = (JSON.parse(grants) as Grants).attributes?.[CREDENTIAL];
  return credential === undefined ? undefined : Number(credential);
}
