/** What the sockets of one Session object share: the object's core, and who is asked before the core is. */

import type { Authenticators } from "../handshake/authentication.ts";
import type { HookContext } from "../hooks/contract.ts";
import type { OnPublish } from "../hooks/on-publish.ts";
import type { Limits } from "../limits.ts";
import type { Runtime } from "../runtime.ts";
import type { SessionCore } from "../session/core.ts";
import type { SessionMachine } from "../session/machine.ts";
import type { Arrivals } from "./arrivals.ts";
import type { Asking } from "./asking.ts";
import type { DirectoryWatch } from "./directory-watch.ts";
import type { EqualTimers } from "./equal-timers.ts";
import type { SocketWire } from "./socket-wire.ts";
import type { Traces } from "./traces.ts";
import type { Turns } from "./turns.ts";

export interface ClientContext {
  readonly core: SessionCore;
  readonly machine: SessionMachine;
  readonly limits: Limits;
  readonly namespace: string;
  readonly authenticators: Authenticators;
  /** Hooks that are asked about subscriptions. */
  readonly asking: Asking | undefined;
  /** Asks the Worker's code about messages. */
  readonly onPublish: OnPublish | undefined;
  /** What the directory says to those who are let in; undefined where there is none. */
  readonly directory: DirectoryWatch | undefined;
  /** What hooks of the Worker's code are given here. */
  readonly hookContext: HookContext;
  readonly runtime: Runtime;
  /** How long a packet may take that has begun to come, or a CONNECT that has not: PACKET_SECONDS_MAX. */
  readonly unfinished: EqualTimers;
  readonly arrivals: Arrivals;
  readonly turns: Turns;
  /** Who watches clients. */
  readonly traces: Traces;
  /** Whether a Client Identifier is one of this object. */
  readonly owns: (clientId: string) => boolean;
  /** Called after anything that may have left something to flush. */
  readonly flushSoon: () => void;
  /** Called when a client is in, or has not been let in, or is gone before. */
  readonly entered: () => void;
  /** Called when the socket is over and all that came over it has been handled. */
  readonly gone: (wire: SocketWire) => void;
}
