/** All vectors. */

import { ACKNOWLEDGEMENT_VECTORS } from "./acknowledgement.ts";
import { CONNECT_VECTORS } from "./connect.ts";
import { CONNECTION_VECTORS } from "./connection.ts";
import { FRAMING_VECTORS } from "./framing.ts";
import { PROPERTY_VECTORS } from "./property.ts";
import { PUBLISH_VECTORS } from "./publish.ts";
import { SUBSCRIPTION_VECTORS } from "./subscription.ts";
import { TEXT_VECTORS } from "./text.ts";
import type { Vector } from "./vector.ts";

export const VECTORS: readonly Vector[] = [
  ...CONNECT_VECTORS,
  ...CONNECTION_VECTORS,
  ...FRAMING_VECTORS,
  ...PUBLISH_VECTORS,
  ...ACKNOWLEDGEMENT_VECTORS,
  ...SUBSCRIPTION_VECTORS,
  ...PROPERTY_VECTORS,
  ...TEXT_VECTORS,
];
