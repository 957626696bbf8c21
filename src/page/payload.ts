/** How a payload is shown: as text where it is text, else byte by byte. */

/** More bytes than this are not shown; the broker takes a MiB, a page need not. */
const SHOWN_BYTES = 4096;

export interface Shown {
  readonly kind: "text" | "bytes" | "empty";
  readonly text: string;
}

/** @returns the payload as text if it is UTF-8, otherwise in hexadecimal; cut after 4 KiB, which it says */
export function showPayload(payload: Uint8Array): Shown {
  if (payload.length === 0) return { kind: "empty", text: "empty" };
  const rest = payload.length > SHOWN_BYTES ? ` … (${payload.length.toLocaleString("en")} bytes)` : "";
  const head = payload.subarray(0, SHOWN_BYTES);
  try {
    // With `stream` a character that the cut divided is no error.
    const text = new TextDecoder("utf-8", { fatal: true }).decode(head, { stream: rest !== "" });
    if (!hasControls(text)) return { kind: "text", text: text + rest };
  } catch {
    // Not UTF-8.
  }
  return { kind: "bytes", text: [...head].map((byte) => byte.toString(16).padStart(2, "0")).join(" ") + rest };
}

/** Bytes below U+0020 other than tab and line ends mean that it is no text, although it is valid UTF-8. */
function hasControls(text: string): boolean {
  for (const character of text) if (character < " " && !"\t\n\r".includes(character)) return true;
  return false;
}
