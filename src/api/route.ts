/**
 * Routes of the API as data: what a request has to bring, what answers it, and who may. Requests are served by the same data from which the
 * OpenAPI document is made, so that neither can say what the other does not.
 */

import * as z from "zod/mini";
import type { ApiScope } from "../auth/api-token.ts";
import type { DirectoryCalls, Once } from "../objects/calls.ts";
import type { Body } from "./body.ts";
import type { Admitted } from "./context.ts";
import type { ProblemCode } from "./problem.ts";
import type { Given, Schema, Shape, Told } from "./schema.ts";

type Status = 200 | 201 | 202 | 204 | 400 | 403 | 404 | 503;

/** What a route answers with, by status; `NOTHING` for an answer without content. */
export type Answers = { readonly [Each in Status]?: Schema };

export const NOTHING = z.undefined();

/** An answer that is a stream and no JSON. */
export const EVENTS = z.custom<Response>();

/** One of the answers that a route has. */
export type Reply<Of extends Answers> = {
  [Each in keyof Of & Status]: Told<NonNullable<Of[Each]>> extends undefined
    ? { readonly status: Each }
    : { readonly status: Each; readonly body: Told<NonNullable<Of[Each]>> };
}[keyof Of & Status];

type Values<Fields extends Shape> = { readonly [Name in keyof Fields]: Given<Fields[Name]> };

/** What a handler is given. */
export interface Asked<Params extends Shape = Shape, Query extends Shape = Shape, Headers extends Shape = Shape, Content = unknown>
  extends Admitted {
  readonly params: Values<Params>;
  readonly query: Values<Query>;
  readonly headers: Values<Headers>;
  readonly body: Content;
  /** By what a repeat of the request is recognised; undefined where it has no Idempotency-Key. */
  readonly once: Once | undefined;
  /** Of a route that needs it. */
  readonly directory: DirectoryCalls;
}

interface Definition<Params extends Shape, Query extends Shape, Headers extends Shape, Content, Of extends Answers> {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  /** Behind /api/v5: `:name` is a part of the path, `:name{.+}` all that is left of it. */
  readonly path: string;
  readonly scope: ApiScope;
  /** Whether it is about what the directory keeps. */
  readonly needsDirectory?: boolean;
  /** What it does, in a line. */
  readonly summary: string;
  readonly params?: Params;
  readonly query?: Query;
  readonly headers?: Headers;
  readonly body?: Body<Content>;
  readonly answers: Of;
  /** What it may say besides what every route may. */
  readonly problems?: readonly ProblemCode[];
  readonly handle: (asked: Asked<Params, Query, Headers, Content>) => Promise<Reply<Of>>;
}

/** A route, whatever it takes. */
export type Route = Required<Omit<Definition<Shape, Shape, Shape, unknown, Answers>, "body" | "handle">> & {
  readonly body: Body | undefined;
  readonly handle: (asked: Asked) => Promise<{ readonly status: number; readonly body?: unknown }>;
};

// biome-ignore lint/complexity/noBannedTypes: a shape without fields
type None = {};

export function route<
  Of extends Answers,
  Params extends Shape = None,
  Query extends Shape = None,
  Headers extends Shape = None,
  Content = undefined,
>(definition: Definition<Params, Query, Headers, Content, Of>): Route {
  const nothing = { params: {}, query: {}, headers: {}, body: undefined, problems: [], needsDirectory: false };
  return { ...nothing, ...definition } as unknown as Route;
}
