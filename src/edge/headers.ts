/** Headers that keep browsers from making more of an answer than it is. */

/** Nothing in it is shown, run or framed. */
const OF_ANSWERS = "default-src 'none'; frame-ancestors 'none'";

/**
 * Of the page: its own files, its own broker, and the worker that its MQTT client makes for timers. For files that the platform serves without
 * the Worker the same stands in src/console/public/_headers; a test compares them.
 */
export const OF_THE_PAGE = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "worker-src blob:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

export const HEADERS: readonly (readonly [name: string, value: string])[] = [
  ["X-Content-Type-Options", "nosniff"],
  ["X-Frame-Options", "DENY"],
  ["Referrer-Policy", "no-referrer"],
  ["Cross-Origin-Opener-Policy", "same-origin"],
];

/** The same answer with them, unless it has them or switches protocols. */
export function shielded(answer: Response): Response {
  return answer.status === 101 || answer.headers.has("Content-Security-Policy") ? answer : withHeaders(answer);
}

/** The same answer with them. @param isFile it is one of the page's */
export function withHeaders(answer: Response, isFile = false): Response {
  const headers = new Headers(answer.headers);
  for (const [name, value] of HEADERS) headers.set(name, value);
  headers.set("Content-Security-Policy", isFile ? OF_THE_PAGE : OF_ANSWERS);
  return new Response(answer.body, { status: answer.status, statusText: answer.statusText, headers });
}
