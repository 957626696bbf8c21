/** Where others see that a client is here. Its Client Identifier is a secret, by which alone its session can be had: the topic has a hash of it. */

export const HERE = "chat/here/";

/** @returns a Topic Name below `HERE` */
export async function placeOf(clientId: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(clientId));
  return HERE + [...new Uint8Array(digest.slice(0, 8))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
