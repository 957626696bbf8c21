/** Bearer tokens of operators: whether a request shows the one that opens what it asks for. */

import { equalConstantTime } from "../auth/password.ts";

/** Whether a request has this token. The time it takes tells nothing of it. */
export async function showsToken(request: Request, token: string): Promise<boolean> {
  const [, shown] = /^Bearer +(\S+)$/i.exec(request.headers.get("Authorization") ?? "") ?? [];
  return shown !== undefined && (await same(shown, token));
}

/** Compares digests, to the last byte: the time it takes tells nothing of either text. */
async function same(one: string, other: string): Promise<boolean> {
  const digest = async (text: string): Promise<Uint8Array> =>
    new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
  return equalConstantTime(...(await Promise.all([digest(one), digest(other)])));
}
