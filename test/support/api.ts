/** The HTTP API as a program uses it, and tokens for one thing each. */

import { createHash } from "node:crypto";
import { expect } from "vitest";
import type { TestBroker } from "./brokers.ts";
import { expectContract } from "./contract.ts";

const sha256 = (token: string): string => createHash("sha256").update(token).digest("hex");

export const TOKENS = {
  publish: "a-token-to-publish",
  read: "a-token-to-read",
  asker: "a-token-for-both",
  admin: "a-token-for-all",
  acme: "a-token-of-acme",
};

export const API_ENV = {
  ALLOW_ANONYMOUS: "true",
  NAMESPACES: "default,acme",
  ADDRESS_LOGIN_FAILURE_RATE: "unlimited",
  API_TOKENS: JSON.stringify([
    { name: "publisher", sha256: sha256(TOKENS.publish), scopes: ["publish"] },
    { name: "reader", sha256: sha256(TOKENS.read), scopes: ["read"], namespaces: ["default"] },
    { name: "asker", sha256: sha256(TOKENS.asker), scopes: ["publish", "read"] },
    { name: "operator", sha256: sha256(TOKENS.admin), scopes: ["admin"], namespaces: "*" },
    { name: "acme", sha256: sha256(TOKENS.acme), scopes: ["publish", "read"], namespaces: ["acme"] },
  ]),
};

export interface Ask {
  readonly method?: string;
  readonly token?: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Answer {
  readonly status: number;
  readonly body: unknown;
}

/** Asks, and holds the answer to the document. */
export async function call(
  broker: Pick<TestBroker, "url">,
  path: string,
  { method, token = TOKENS.admin, body, headers = {} }: Ask = {},
): Promise<Answer> {
  const isRaw = body === undefined || typeof body === "string" || body instanceof Uint8Array;
  const sent = method ?? (body === undefined ? "GET" : "POST");
  const response = await fetch(`${broker.url}/api/v5${path}`, {
    method: sent,
    headers: { Authorization: `Bearer ${token}`, ...headers },
    body: (isRaw ? (body ?? null) : JSON.stringify(body)) as string | null,
  });
  const text = await response.text();
  const answer = { status: response.status, body: text === "" ? undefined : JSON.parse(text) };
  expectContract(sent, path, answer.status, answer.body);
  return answer;
}

export const refused = (code: string, message: unknown = expect.any(String)): object => ({ code, message });
export const published = { status: 200, body: { id: expect.stringMatching(/^[0-9a-f]{32}$/) } };

/** Server-Sent Events, one by one. */
export async function* eventsOf({ body }: Response): AsyncGenerator<{ event: string; data: Record<string, unknown> }> {
  let text = "";
  for await (const chunk of body!.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
      const [, event, data] = /^event: (.*)\ndata: (.*)$/.exec(text.slice(0, end)) ?? [];
      text = text.slice(end + 2);
      yield event === undefined ? { event: "comment", data: {} } : { event, data: JSON.parse(data!) };
    }
  }
}
