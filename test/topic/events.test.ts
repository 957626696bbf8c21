import { expect, test } from "vitest";
import { ALL_EVENTS, EVENT_KINDS, EVENT_TOPICS, eventsOf, filtersOfEvent, isOfEvents } from "../../src/topic/events.ts";
import { matches } from "../../src/topic/filter.ts";

test("a filter brings the events whose topics it matches, shared or not, and none that does not begin with their level", () => {
  const words = ["$events", "client", "connected", "session", "message", "+", "#", ""];
  const filters = words.flatMap((a) => [a, ...words.flatMap((b) => [`${a}/${b}`, ...words.map((c) => `${a}/${b}/${c}`)])]);
  for (const filter of [...filters, "$events/client/connected/#", "$events/+/+/+"]) {
    if (/#./.test(filter)) continue;
    const expected = EVENT_KINDS.filter((kind) => isOfEvents(filter) && matches(filter, EVENT_TOPICS[kind]));
    expect(
      EVENT_KINDS.filter((kind) => (eventsOf(filter) & kind) !== 0),
      filter,
    ).toEqual(expected);
    expect(eventsOf(`$share/g/${filter}`), filter).toBe(eventsOf(filter));
  }
  expect([eventsOf("$events/#"), eventsOf("#"), eventsOf("+/client/connected"), eventsOf("$events")]).toEqual([ALL_EVENTS, 0, 0, 0]);
});

test("the filters of an event are those below $events that match it", () => {
  for (const topic of Object.values(EVENT_TOPICS)) {
    const filters = filtersOfEvent(topic);
    expect(new Set(filters).size).toBe(11);
    for (const filter of filters) expect(matches(filter, topic), filter).toBe(true);
  }
});
