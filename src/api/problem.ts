/** What the API says to requests that it can't serve: JSON with a code for programs and a sentence for people. */

import { HTTPException } from "hono/http-exception";
import type { ContentfulStatusCode } from "hono/utils/http-status";

const STATUS = {
  BAD_REQUEST: 400,
  ALREADY_EXISTS: 409,
  NOT_FOUND: 404,
  UNAUTHORIZED: 401,
  METHOD_NOT_ALLOWED: 405,
  PAYLOAD_TOO_LARGE: 413,
  TOO_MANY_REQUESTS: 429,
  INTERNAL_ERROR: 500,
  SERVICE_UNAVAILABLE: 503,
} as const satisfies Readonly<Record<string, ContentfulStatusCode>>;

export type ProblemCode = keyof typeof STATUS;

export interface Problem {
  readonly code: ProblemCode;
  /** A whole sentence that repeats no secret. */
  readonly message: string;
}

export function problem(code: ProblemCode, message: string, headers: Readonly<Record<string, string>> = {}): Response {
  return Response.json({ code, message } satisfies Problem, { status: STATUS[code], headers: { "Cache-Control": "no-store", ...headers } });
}

/** Ends the request with this answer. */
export function refuse(code: ProblemCode, message: string): never {
  throw new HTTPException(STATUS[code], { res: problem(code, message) });
}
