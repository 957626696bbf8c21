/** How gateways are told to the broker: GATEWAY_SECRET, without which none is believed. */

import { secret } from "../setting.ts";
import { GATEWAY_SECRET_BYTES_MIN } from "./gateway-statement.ts";
import { parseSecret } from "./jwt-settings.ts";

export const GATEWAY_SECRET = secret(
  "GATEWAY_SECRET",
  `a secret of ${GATEWAY_SECRET_BYTES_MIN} bytes or more, as text or as base64: and Base64 behind it, or nothing`,
  "gateways (`durable-mqtt gateway`) that have it too are believed where their clients are, and which user a client certificate names: such a client is let in as that user without a password",
  (text) => parseSecret(text),
);
