/** Users of a broker and AUTH packets for tests of enhanced authentication; usable inside workerd too. */

import { AUTH, type Auth, NO_PROPERTIES, type Properties } from "../../src/mqtt/packet.ts";
import { SCRAM_SHA_256 } from "./scram-client.ts";

export const CONTINUE = 0x18;
export const REAUTHENTICATE = 0x19;

/** The setting USERS: ada (lovelace) may do everything, bob (builder) only what is below `bob`; hashes of 1000 iterations. */
export const USERS = JSON.stringify([
  {
    user: "ada",
    password: "pbkdf2-sha256$1000$c2FsdCBvZiBhZGE=$kCgSf4fsCRrE+k/ObKmD0P4A/7HoLlOv97JiiDR1PIw=",
    publish: ["#"],
    subscribe: ["#"],
  },
  {
    user: "bob",
    password: "pbkdf2-sha256$1000$c2FsdCBvZiBib2I=$d0yoNeRqkYTAl/s0XWv/EUsvm/8M7+nib8X3hiURwyY=",
    publish: ["bob/#"],
    subscribe: ["bob/#"],
  },
]);

/** An AUTH with the method of these tests. */
export function auth(reasonCode: number, data?: Uint8Array, more: Properties = NO_PROPERTIES): Auth {
  const authenticationData = data === undefined ? {} : { authenticationData: data };
  return { type: AUTH, reasonCode, properties: { authenticationMethod: SCRAM_SHA_256, ...authenticationData, ...more } };
}
