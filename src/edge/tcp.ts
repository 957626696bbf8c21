/**
 * MQTT over TCP for whoever opens a socket to this Worker: other Workers, by `connect` of a service binding, and containers. The same as a
 * WebSocket from CONNECT on: a login, rights, the relay.
 */

import { withoutPort } from "../directory/network.ts";
import { unknownCaller } from "../handshake/handover.ts";
import type { Definition } from "../objects/definition.ts";
import type { BrokerEnv } from "../objects/env.ts";
import { log } from "../objects/log.ts";
import { PLATFORM } from "../runtime.ts";
import { DEFAULT_NAMESPACE, exists, noNamespaceText } from "./answers.ts";
import { relay } from "./start-relay.ts";
import { TcpSocket } from "./tcp-socket.ts";

/** In the place of a host, such as `tenant.mqtt:1883`; every other address is that of the namespace `default`. */
const NAMESPACE_HOST = /^(.+)\.mqtt(?::\d+)?$/;

export function namespaceOfAddress(address: string): string {
  return NAMESPACE_HOST.exec(address)?.[1] ?? DEFAULT_NAMESPACE;
}

/** Serves a socket. @returns when its connection is over: so long the platform keeps it */
export async function serveTcp(socket: Socket, env: BrokerEnv, definition: Definition): Promise<void> {
  const { localAddress = "", remoteAddress = "" } = await socket.opened;
  const settings = definition.settingsOf(env);
  const namespace = namespaceOfAddress(localAddress);
  const isServed = !Array.isArray(settings) && exists(settings, namespace);
  if (!isServed) {
    const problem = Array.isArray(settings) ? settings.map(({ sentence }) => sentence).join(" ") : noNamespaceText(namespace);
    log("a TCP connection is not served", { problem });
    await socket.close();
    return;
  }
  const tcp = new TcpSocket(socket, PLATFORM);
  const caller = { ...unknownCaller(namespace), address: withoutPort(remoteAddress) };
  relay(tcp.asRelayed(), { env, settings, hooks: definition.hooks }, caller);
  await tcp.over;
}
