/**
 * What the broker says beside its answers, made to fit: a field has at most 65,535 bytes, and what the broker says is made of what clients
 * sent (names, filters, refusals). None of it is worth an answer, so none of it makes the encoder throw: a Reason String is cut behind a
 * whole character, Response Information and User Properties, of which a part is of no use, are left out. The properties of a PUBLISH
 * are the publisher's and never altered here.
 */

import { cutUtf8, FIELD_BYTES_MAX, utf8Length } from "./bytes.ts";
import { NO_PROPERTIES, type Properties } from "./packet.ts";

/** The properties of a packet that is no PUBLISH, as far as they can be encoded; the same object when all can. */
export function fitting(properties: Properties): Properties {
  if (properties === NO_PROPERTIES) return properties;
  const { reasonString, responseInformation, userProperties } = properties;
  const reasonFits = reasonString === undefined || fits(reasonString);
  const informationFits = responseInformation === undefined || fits(responseInformation);
  const userFits = userProperties === undefined || userProperties.every(([name, value]) => fits(name) && fits(value));
  if (reasonFits && informationFits && userFits) return properties;
  const { reasonString: reason, responseInformation: information, userProperties: user, ...rest } = properties;
  return {
    ...rest,
    ...(reasonString === undefined ? {} : { reasonString: cutUtf8(reasonString, FIELD_BYTES_MAX) }),
    ...(responseInformation !== undefined && informationFits ? { responseInformation } : {}),
    ...(userProperties === undefined ? {} : { userProperties: userProperties.filter(([name, value]) => fits(name) && fits(value)) }),
  };
}

/** No unit of a string has more than three bytes: most need not be counted. */
function fits(text: string): boolean {
  return text.length * 3 <= FIELD_BYTES_MAX || utf8Length(text) <= FIELD_BYTES_MAX;
}
