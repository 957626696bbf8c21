/** How a name stands in a path of the HTTP API, for who asks and who answers. */

/** Stands in the path for a name that the query has. */
export const IN_QUERY = "_";

/**
 * @param param what the path calls it, such as `clientid`
 * @returns the part of the path, and what comes behind the path: a URL can't have a part that is called `.` or `..`, however it is written
 */
export function partOf(param: string, name: string): { readonly part: string; readonly query: string } {
  const isDots = name === "." || name === "..";
  return isDots ? { part: IN_QUERY, query: `?${param}=${name}` } : { part: encodeURIComponent(name), query: "" };
}
