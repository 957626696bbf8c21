/** Which route a request takes, by its method and path. */

import type { Route } from "./route.ts";

export interface Found {
  readonly route: Route;
  /** The parts of the path that have names, decoded. */
  readonly params: Readonly<Record<string, string>>;
}

/** @returns the route of a request, or the methods that its path knows: none where there is nothing */
export type Router = (method: string, path: string) => Found | readonly string[];

export function routerOf(routes: readonly Route[]): Router {
  const patterns = routes.map((route) => ({ route, pattern: patternOf(route.path) }));
  return (method, path) => {
    const there = patterns.flatMap(({ route, pattern }) => {
      const groups = pattern.exec(path);
      return groups === null ? [] : [{ route, groups: groups.groups ?? {} }];
    });
    const found = there.find(({ route }) => route.method === (method === "HEAD" ? "GET" : method));
    if (found === undefined) return [...new Set(there.map(({ route }) => route.method))];
    const params = Object.entries(found.groups).map(([name, text]) => [name, decoded(text)]);
    return { route: found.route, params: Object.fromEntries(params) };
  };
}

/**
 * `/clients/:clientid{.+}`: `:name` is a part of the path, `:name{.+}` all that is left of it, slashes included. A path means the same with a slash
 * behind it. Some encode the colon of EMQX's name for users that the broker itself keeps.
 */
function patternOf(path: string): RegExp {
  const parts = path.split("/").map((part) => {
    const [, name, rest] = /^:(\w+)(\{\.\+\})?$/.exec(part) ?? [];
    if (name !== undefined) return `(?<${name}>${rest === undefined ? "[^/]+" : ".+"})`;
    return part.replace(":", "(?::|%3[Aa])");
  });
  return new RegExp(`^${parts.join("/")}/?$`);
}

/** What can't be decoded stays as it is. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
