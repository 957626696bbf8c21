/** What the API says to requests that it can't serve: JSON with a code for programs and a sentence for people. */

import { ArgumentError } from "../service/error.ts";

/** The codes, and the statuses that they come with. */
export const STATUS = {
  BAD_REQUEST: 400,
  ALREADY_EXISTS: 409,
  NOT_FOUND: 404,
  CLIENTID_NOT_FOUND: 404,
  UNAUTHORIZED: 401,
  FORBIDDEN: 403,
  METHOD_NOT_ALLOWED: 405,
  OUTCOME_UNKNOWN: 409,
  PAYLOAD_TOO_LARGE: 413,
  IDEMPOTENCY_KEY_REUSED: 422,
  NOT_TAKEN: 422,
  TOO_MANY_REQUESTS: 429,
  INTERNAL_ERROR: 500,
  SERVICE_UNAVAILABLE: 503,
  TIMEOUT: 504,
} as const;

export type ProblemCode = keyof typeof STATUS;

export interface Problem {
  readonly code: ProblemCode;
  /** A whole sentence that repeats no secret. */
  readonly message: string;
}

export function problem(code: ProblemCode, message: string, headers: Readonly<Record<string, string>> = {}): Response {
  return Response.json({ code, message } satisfies Problem, { status: STATUS[code], headers: { "Cache-Control": "no-store", ...headers } });
}

/** The request ends with this answer. */
export class Refusal extends Error {
  readonly response: Response;

  constructor(response: Response) {
    super("refused");
    this.response = response;
  }
}

/** Ends the request with this answer. */
export function refuse(code: ProblemCode, message: string, headers?: Readonly<Record<string, string>>): never {
  throw new Refusal(problem(code, message, headers));
}

/** Asks; what is wrong with what is asked for is said to who has made the request. */
export async function orBadRequest<Value>(ask: () => Promise<Value>): Promise<Value> {
  try {
    return await ask();
  } catch (error) {
    // The name of the method is that of code.
    if (error instanceof ArgumentError) return refuse("BAD_REQUEST", sentenceOf(error.message.replace(/^\w+(?: (?=\[)|: )/, "")));
    throw error;
  }
}

export function sentenceOf(text: string): string {
  return `${text.slice(0, 1).toUpperCase()}${text.slice(1)}.`;
}
