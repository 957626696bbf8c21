/** What the service could not do, as errors that another Worker can tell apart: their names and fields go over the call. */

import { reasonText } from "../client/error.ts";

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
