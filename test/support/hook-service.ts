/** An HTTP service that knows clients, in the shape that EMQX's users have: what anybody might write in an hour. For tests it may be slow, gone or wrong. */

import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";

/** What the service knows of a user. */
export interface HookUser {
  readonly password: string;
  /** What the answer says besides `allow`. */
  readonly answer?: object;
}

export interface HookService {
  readonly url: string;
  readonly users: Map<string, HookUser>;
  /** Answers instead. */
  instead: RequestListener | undefined;
  /** The bodies of what it was asked, and under which path. */
  readonly asked: { readonly path: string; readonly body: Readonly<Record<string, string>> }[];
  close(): void;
}

export async function startHookService(users: Readonly<Record<string, HookUser>> = {}): Promise<HookService> {
  const server = createServer(async (request, response) => {
    const pieces: Buffer[] = [];
    for await (const piece of request) pieces.push(piece as Buffer);
    const text = Buffer.concat(pieces).toString();
    const body = (text === "" ? {} : JSON.parse(text)) as Record<string, string>;
    service.asked.push({ path: request.url!, body });
    if (service.instead !== undefined) return void service.instead(request, response);
    const user = service.users.get(body.username!);
    const answer =
      user === undefined ? { result: "ignore" } : { result: user.password === body.password ? "allow" : "deny", ...user.answer };
    response.setHeader("Content-Type", "application/json").end(JSON.stringify(answer));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const service: HookService = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/mqtt/auth`,
    users: new Map(Object.entries(users)),
    instead: undefined,
    asked: [],
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
  return service;
}
