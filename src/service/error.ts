/** What the service could not do, as errors that another Worker can tell apart: their names and fields go over the call. */

import { reasonText } from "../client/error.ts";
import type { Unanswered } from "../objects/calls.ts";

/** An argument is none; whoever is bound sees a TypeError. Nothing else that goes wrong is one of these. */
export class ArgumentError extends TypeError {}

export class ServiceError extends Error {
  override readonly name: "RefusedError" | "TimeoutError";
  /** Of MQTT 5.0, where there is one. */
  readonly reasonCode: number | undefined;

  constructor(name: ServiceError["name"], message: string, reasonCode?: number) {
    super(message);
    this.name = name;
    this.reasonCode = reasonCode;
  }
}

/** @param reason in words of who has refused it; may be empty */
export function refused(what: string, reasonCode: number, reason = ""): ServiceError {
  const said = `${reasonText(reasonCode)} (0x${reasonCode.toString(16).padStart(2, "0")})`;
  return new ServiceError("RefusedError", `${what}: ${said}${reason === "" ? "" : `, ${reason}`}`, reasonCode);
}

/** What was asked for once has no answer (`objects/answers.ts`). */
export class UnansweredError extends Error {
  readonly why: Unanswered["unanswered"];

  constructor(why: Unanswered["unanswered"]) {
    super(UNANSWERED[why]);
    this.why = why;
  }
}

const UNANSWERED = {
  other: "this key was used for another request",
  unknown: "a request with this key was begun, and it is not known what became of it",
  full: "there is no room for more keys until older ones are a day old",
} as const;

/** @throws UnansweredError */
export function expectAnswered<Answer extends object>(answer: Answer): Exclude<Answer, Unanswered> {
  if ("unanswered" in answer) throw new UnansweredError((answer as unknown as Unanswered).unanswered);
  return answer as Exclude<Answer, Unanswered>;
}
