/** The API of users and bans, as an operator's program calls it. What is answered is held to the OpenAPI document. */

import { expectContract } from "./contract.ts";

/** Of brokers of tests. */
export const ADMIN_TOKEN = "an-admin-token-of-tests";

export interface ApiAnswer {
  readonly status: number;
  /** JSON, or undefined where there is none. */
  readonly body: unknown;
}

export const USERS = "/authentication/password_based:built_in_database/users";

/** @param url of the broker @param path behind /api/v5 */
export async function api(url: string, method: string, path: string, body?: unknown, token = ADMIN_TOKEN): Promise<ApiAnswer> {
  const response = await fetch(`${url}/api/v5${path}`, {
    method,
    headers: { Authorization: `Bearer ${token}` },
    body: body === undefined ? null : typeof body === "string" ? body : JSON.stringify(body),
  });
  const text = await response.text();
  const answer = { status: response.status, body: text === "" ? undefined : JSON.parse(text) };
  expectContract(method, path, answer.status, answer.body);
  return answer;
}

/** The same, where anything but success is a mistake of the test. */
export async function done(url: string, method: string, path: string, body?: unknown): Promise<unknown> {
  const answer = await api(url, method, path, body);
  if (answer.status >= 300) throw new Error(`${method} ${path} was answered ${answer.status} ${JSON.stringify(answer.body)}`);
  return answer.body;
}
