/** What tokens and services both say of a login, and the form that it must have. */

/** Later than any time in seconds that is meant (the year 5138), earlier than any in milliseconds that is (1973). */
export const SECONDS_END = 1e11;

/** What no text of MQTT may have [MQTT5-1.5.4-1] [MQTT5-1.5.4-2]. */
const UNFIT = /[\0\ud800-\udfff]/u;

export function isMqttText(value: unknown): value is string {
  return typeof value === "string" && !UNFIT.test(value);
}

/** Whether it may be a Client Identifier. How long it may be the hosts know. */
export function isClientId(value: unknown): value is string {
  return isMqttText(value) && value !== "";
}
