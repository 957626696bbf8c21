/**
 * `defineBroker`: a broker in a Worker, as its author defines it in code. What it gives are the classes of the Durable Objects and the answers to
 * requests. The options are looked at when the Worker starts; everything else is with the hosts.
 */

import type { DurableObject, WorkerEntrypoint } from "cloudflare:workers";
import { serveTcp } from "./edge/tcp.ts";
import type { BrokerBindings, BrokerOptions } from "./hooks/contract.ts";
import { checkOptions } from "./hooks/options.ts";
import type { DirectoryCalls, SessionCalls, TopicCalls } from "./objects/calls.ts";
import { Definition } from "./objects/definition.ts";
import { DirectoryObject } from "./objects/directory-object.ts";
import type { BrokerEnv } from "./objects/env.ts";
import { SessionObject } from "./objects/session-object.ts";
import { TopicObject } from "./objects/topic-object.ts";
import { type Requests, requestsOf } from "./requests.ts";
import type { MqttService } from "./service/contract.ts";
import { ServiceEntrypoint } from "./service/entrypoint.ts";

/** A class of Durable Objects; a Worker exports it, and may extend it. */
export type ObjectClass<Env, Calls> = new (ctx: DurableObjectState, env: Env) => Calls & DurableObject<Env>;

/** The class of an entrypoint; a Worker exports it, and may extend it. */
export type EntrypointClass<Env, Calls> = new (ctx: ExecutionContext, env: Env) => Calls & WorkerEntrypoint<Env>;

/** What `defineBroker` gives: classes that the Worker exports, and the answer to requests. */
export interface Broker<Env extends BrokerBindings = BrokerBindings> {
  /** For the binding SESSIONS. */
  readonly SessionObject: ObjectClass<Env, SocketHandlers & SessionCalls>;
  /** For the binding TOPICS. */
  readonly TopicObject: ObjectClass<Env, TopicCalls>;
  /** For the binding DIRECTORY. */
  readonly DirectoryObject: ObjectClass<Env, DirectoryCalls>;
  /** For service bindings of other Workers, which name it as their `entrypoint`. */
  readonly MqttService: EntrypointClass<Env, MqttService>;
  /**
   * Answers requests to the broker's paths (`/mqtt`, `/{namespace}/mqtt`, `/ws`, `/` for WebSockets, `/health`, `/metrics`, `/api/v5`).
   * @returns undefined for all others
   */
  fetch(request: Request, env: Env, context: ExecutionContext): Promise<Response | undefined>;
  /**
   * Serves MQTT over a TCP socket that another Worker or a container has opened to this one: for `connect` of the default export. `MqttService`
   * has it too. The address that was asked for says the namespace: `tenant.mqtt:1883`, and every other one is `default`.
   */
  connect(socket: Socket, env: Env): Promise<void>;
}

/** What the platform calls on an object with sockets. */
export interface SocketHandlers {
  fetch(request: Request): Response;
  webSocketMessage(socket: WebSocket, data: ArrayBuffer | string): void;
  webSocketClose(socket: WebSocket, code: number): void;
  webSocketError(socket: WebSocket): void;
  alarm(): Promise<void>;
}

/**
 * Defines a broker. Call it once, where the Worker's module begins.
 * @throws TypeError with a sentence for each option or setting that is none, or has a value that is none
 */
export function defineBroker<Env extends BrokerBindings = BrokerBindings>(options: BrokerOptions<Env> = {}): Broker<Env> {
  checkOptions(options);
  const definition = new Definition(options as BrokerOptions);
  return {
    ...brokerClasses<Env>(definition),
    fetch: below(options.path ?? "", requestsOf(definition)) as unknown as Broker<Env>["fetch"],
    connect: (socket, env) => serveTcp(socket, env as unknown as BrokerEnv, definition),
  };
}

type BrokerClasses<Env extends BrokerBindings> = Pick<Broker<Env>, "SessionObject" | "TopicObject" | "DirectoryObject" | "MqttService">;

/** The classes, whose objects and calls have this definition. */
export function brokerClasses<Env extends BrokerBindings>(definition: Definition): BrokerClasses<Env> {
  const classes = {
    SessionObject: class extends SessionObject {
      constructor(ctx: DurableObjectState, env: BrokerEnv) {
        super(ctx, env, definition);
      }
    },
    TopicObject: class extends TopicObject {
      constructor(ctx: DurableObjectState, env: BrokerEnv) {
        super(ctx, env, definition);
      }
    },
    DirectoryObject: class extends DirectoryObject {
      constructor(ctx: DurableObjectState, env: BrokerEnv) {
        super(ctx, env, definition);
      }
    },
    MqttService: class extends ServiceEntrypoint {
      constructor(ctx: ExecutionContext, env: BrokerEnv) {
        super(ctx, env, definition);
      }
    },
  };
  return classes as unknown as BrokerClasses<Env>;
}

/** What is below a path, as if it were at the root. */
function below(path: string, requests: Requests): Requests {
  if (path === "") return requests;
  return async (request, env, context) => {
    const url = new URL(request.url);
    if (url.pathname !== path && !url.pathname.startsWith(`${path}/`)) return undefined;
    url.pathname = url.pathname.slice(path.length) || "/";
    return requests(new Request(url, request), env, context);
  };
}
