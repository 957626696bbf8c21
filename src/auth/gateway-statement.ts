/**
 * What a gateway, which takes MQTT over TCP and TLS in front of the broker, says of a client when it opens its WebSocket: where the client is,
 * and the user whom its certificate names. It is signed with a secret that both have, and good for a short time: whoever does not have the
 * secret can say nothing, and what was overheard is worth nothing soon after. Gateway and broker both read this file.
 */

/** The header of the upgrade in which the statement stands. */
export const GATEWAY_HEADER = "Durable-MQTT-Gateway";

/** How old a statement may be, and how far the clocks of gateway and broker may differ, ms. */
export const STATEMENT_MS_MAX = 120_000;

/** Of the shared secret: as many as the hash has (RFC 2104). */
export const GATEWAY_SECRET_BYTES_MIN = 32;

/** A statement, characters: an address, and a name of USER_NAME_BYTES_MAX that needs escapes. */
const STATEMENT_CHARACTERS_MAX = 16_384;

export interface GatewayStatement {
  /** Where the client is, as the gateway sees it or a proxy has told it; empty when that is not known. */
  readonly address: string;
  /** Whom the client's certificate names, which the gateway has checked; undefined where no certificate speaks for the client. */
  readonly userName?: string | undefined;
}

/** A signature under the same secret for another purpose, a token for example, is none of these. */
const PURPOSE = "durable-mqtt gateway statement 1\0";

const encoder = new TextEncoder();
const ALGORITHM = { name: "HMAC", hash: "SHA-256" } as const;

/** @param now milliseconds since the epoch @returns the text for the header */
export async function signStatement(secret: Uint8Array, { address, userName }: GatewayStatement, now: number): Promise<string> {
  const body = toBase64Url(encoder.encode(JSON.stringify({ at: now, address, userName })));
  const signature = await crypto.subtle.sign(ALGORITHM, await keyOf(secret), encoder.encode(PURPOSE + body));
  return `${body}.${toBase64Url(new Uint8Array(signature))}`;
}

/**
 * @param now milliseconds since the epoch
 * @returns the statement; or what is wrong with it, in a sentence for the operator of the gateway that repeats nothing of it
 */
export async function readStatement(secret: Uint8Array, text: string, now: number): Promise<GatewayStatement | string> {
  const [, body, signature] = text.length > STATEMENT_CHARACTERS_MAX ? [] : (/^([\w-]+)\.([\w-]+)$/.exec(text) ?? []);
  const bytes = fromBase64Url(signature ?? "");
  if (body === undefined || bytes === undefined) return "it is not in the form of a statement";
  // In constant time, as the platform does it.
  const isSigned = await crypto.subtle.verify(ALGORITHM, await keyOf(secret), bytes, encoder.encode(PURPOSE + body));
  if (!isSigned) return "it is not signed with the GATEWAY_SECRET of this broker";
  const { at, address, userName } = JSON.parse(new TextDecoder().decode(fromBase64Url(body))) as GatewayStatement & { at: number };
  if (Math.abs(now - at) <= STATEMENT_MS_MAX) return { address, userName };
  const seconds = Math.round(Math.abs(now - at) / 1000);
  return `it is of another time: the clock of the gateway is ${seconds} s ${at < now ? "behind" : "ahead"}, or it was used again`;
}

/** One for each secret: to import it takes longer than to use it. */
const keys = new WeakMap<Uint8Array, Promise<CryptoKey>>();

function keyOf(secret: Uint8Array): Promise<CryptoKey> {
  const key = keys.get(secret) ?? crypto.subtle.importKey("raw", secret, ALGORITHM, false, ["sign", "verify"]);
  keys.set(secret, key);
  return key;
}

function toBase64Url(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** @returns undefined for what is not Base64 */
function fromBase64Url(text: string): Uint8Array | undefined {
  try {
    return Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (character) => character.charCodeAt(0));
  } catch {
    return undefined;
  }
}
