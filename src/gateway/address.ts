/** Addresses of clients as they are told onwards. */

import { parseAddress } from "../directory/network.ts";

/** @returns an address of IPv4 that is written as one of IPv6 as one of IPv4; any other text as it is */
export function plainAddress(address: string): string {
  const bytes = /^::ffff:/i.test(address) ? parseAddress(address) : undefined;
  return bytes === undefined ? address : bytes.slice(12).join(".");
}
