/** Properties as they are put together where not all of them are there. */

import type { Properties } from "../mqtt/packet.ts";

/** @param properties some may be undefined: the codec leaves those out */
export function said(properties: { readonly [Name in keyof Properties]: Properties[Name] | undefined }): Properties {
  return properties as Properties;
}
