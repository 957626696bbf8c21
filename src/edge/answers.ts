/** What the Worker says to requests that it can't serve, in a sentence; and which namespaces it serves. */

import { NAMESPACE_PATTERN, type Settings } from "../settings.ts";

/** The namespace of /mqtt. */
export const DEFAULT_NAMESPACE = "default";

export function noNamespace(namespace: string): Response {
  return sentence(404, noNamespaceText(namespace));
}

export function noNamespaceText(namespace: string): string {
  return `There is no namespace ${JSON.stringify(namespace)} here. Its operator can add it to NAMESPACES.`;
}

/** Whether the broker serves a namespace. */
export function exists(settings: Settings, namespace: string): boolean {
  return settings.namespaces === "*" ? NAMESPACE_PATTERN.test(namespace) : settings.namespaces.includes(namespace);
}

export function sentence(status: number, text: string, headers: HeadersInit = {}): Response {
  return new Response(`${text}\n`, { status, headers: { "Content-Type": "text/plain; charset=utf-8", ...headers } });
}
