/** What a relay is given in a Worker: the objects of its deployment, and whom to ask about clients. */

import { directoryOf } from "../objects/directory-of.ts";
import { PLATFORM } from "../runtime.ts";
import type { Caller } from "../session/ports.ts";
import type { Edge } from "./edge.ts";
import { edgeContext } from "./edge-context.ts";
import { handOver } from "./hand-over.ts";
import { type Reach, type RelayedSocket, relaySocket } from "./relay.ts";

/** Starts relaying a socket, of which nothing has been read. */
export function relay(socket: RelayedSocket, { env, settings, hooks }: Edge, asking: Caller): void {
  const { namespace } = asking;
  const reach: Reach = async (objectName, handover) => {
    const { webSocket } = await handOver(env, objectName, handover);
    if (webSocket === null) throw new Error("the object did not accept the socket");
    return webSocket;
  };
  const directory = directoryOf(env, settings, PLATFORM);
  const context = hooks.authenticate && edgeContext(env, settings, namespace);
  const caller = context === undefined ? asking : { ...asking, context };
  relaySocket(socket, { settings, namespace, directory, authService: env.AUTH, hooks, caller, reach, runtime: PLATFORM });
}
