/**
 * The messages of SCRAM (RFC 5802, 5.1 and 7) as a server reads them. Pure text: knows no hashes, no users, no MQTT. Whatever the bytes
 * are, the answer is a message or a sentence about what is wrong with it, one that quotes nothing.
 */

import { fromBase64 } from "./base64.ts";

/** Far above any real message; it bounds what is echoed in the server's answers. */
const MESSAGE_BYTES_MAX = 4096;

/** The client's first message. */
export interface ClientFirst {
  /** With its comma, as it has to come again in Base64. */
  readonly gs2Header: string;
  /** client-first-message-bare: what counts for the proof. */
  readonly bare: string;
  readonly userName: string;
  readonly nonce: string;
}

/** The client's last message. */
export interface ClientFinal {
  readonly channelBinding: string;
  readonly nonce: string;
  /** client-final-message-without-proof: what counts for the proof. */
  readonly withoutProof: string;
  readonly proof: Uint8Array;
}

/** What is wrong with a message, as a sentence for people. */
export class ScramProblem {
  readonly message: string;

  constructor(message: string) {
    this.message = message;
  }
}

/** Reads `n,,n=user,r=nonce`. */
export function parseClientFirst(bytes: Uint8Array): ClientFirst | ScramProblem {
  const text = decode(bytes);
  if (text === undefined) return new ScramProblem("The first SCRAM message is too long or is not UTF-8.");
  // A channel binding would need the TLS connection, which ends before this code.
  if (text.startsWith("p=")) return new ScramProblem("SCRAM with channel binding is not supported here.");
  const header = /^[ny],(?:a=([^,]+))?,/.exec(text);
  if (header === null) return new ScramProblem("The first SCRAM message must begin with n,, or y,,");
  const bare = text.slice(header[0].length);
  // RFC 5802, 5.1: a server that doesn't know the extension must refuse, and none is known.
  if (bare.startsWith("m=")) return new ScramProblem("A mandatory SCRAM extension is asked for; none is known here.");
  const fields = /^n=([^,]+),r=([\x21-\x2b\x2d-\x7e]+)(?:,[A-Za-z]=[^,]+)*$/.exec(bare);
  const userName = fields === null ? undefined : unescapeName(fields[1]);
  if (fields === null || userName === undefined) return new ScramProblem("The first SCRAM message must contain n=user,r=nonce");
  if (header[1] !== undefined && unescapeName(header[1]) !== userName) {
    return new ScramProblem("To act as another user (SCRAM authzid) is not supported here.");
  }
  return { gs2Header: header[0], bare, userName, nonce: fields[2] };
}

/** Reads `c=binding,r=nonce,p=proof`. */
export function parseClientFinal(bytes: Uint8Array): ClientFinal | ScramProblem {
  const text = decode(bytes);
  const fields = text === undefined ? null : /^(c=([^,]+),r=([^,]+)(?:,[A-Za-z]=[^,]+)*),p=([^,]+)$/.exec(text);
  const proof = fields === null ? undefined : fromBase64(fields[4]);
  if (fields === null || proof === undefined)
    return new ScramProblem("The last SCRAM message must have the form c=binding,r=nonce,p=proof");
  return { withoutProof: fields[1], channelBinding: fields[2], nonce: fields[3], proof };
}

function decode(bytes: Uint8Array): string | undefined {
  if (bytes.length > MESSAGE_BYTES_MAX) return undefined;
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    return text.includes("\0") ? undefined : text;
  } catch {
    return undefined;
  }
}

/** Comma and equals sign in a name are written =2C and =3D; any other use of = is an error. */
function unescapeName(name: string): string | undefined {
  if (/=(?!2C|3D)/.test(name)) return undefined;
  return name.replaceAll("=2C", ",").replaceAll("=3D", "=");
}
