/** Which subscriptions a message is for, by the Subscription Identifiers that a server sends with it. */

import { describe, expect, test } from "vitest";
import { Filters } from "../../src/client/filters.ts";
import { Inbox } from "../../src/client/inbox.ts";

const inbox = (): Inbox => new Inbox(undefined, () => {});

/** Two with one filter, and one whose filter matches as well. */
function three() {
  const filters = new Filters();
  const inboxes = { first: inbox(), second: inbox(), other: inbox() };
  filters.add("a/#", "a/#", 1, inboxes.first);
  filters.add("a/#", "a/#", 2, inboxes.second);
  filters.add("a/b", "a/b", 3, inboxes.other);
  const names = Object.entries(inboxes);
  const owners = (...identifiers: number[]): string =>
    [...filters.inboxesOf("a/b", identifiers)].map((each) => names.find(([, known]) => known === each)![0]).join(" ");
  return { filters, second: inboxes.second, owners };
}

describe("two subscriptions with one filter", () => {
  test("have what comes with the identifier of the last one, and nothing of the other filter's", () => {
    const { owners } = three();
    expect([owners(2, 3), owners(2), owners(3), owners()]).toEqual(["first second other", "first second", "other", "first second other"]);
  });

  test("of which the last has ended: the first misses nothing, neither with that one's identifier nor, made anew, with its own", () => {
    const { filters, second, owners } = three();
    expect(filters.remove("a/#", second)).toBe(false);
    expect([owners(2, 3), owners(1, 3), owners(3)]).toEqual(["first other", "first other", "other"]);
  });
});
