/** Response Information of clients with all kinds of names. */

import { expect, test } from "vitest";
import { responseInformation } from "../../src/session/response-information.ts";
import { World } from "../support/core-harness.ts";

test.each(["plain", "$&", "$`", "$'", "$$", "$1", "%c", "käpt'n", "\\", "..", "$SYS"])(
  "[MQTT5-3.1.2-28] %s stands for itself",
  (clientId) => {
    const world = new World({ choices: { responseInformation: "responses/%c/%c" } });
    const client = world.connect(clientId, { properties: { requestResponseInformation: 1 } });
    expect(client.connack.properties.responseInformation).toBe(`responses/${clientId}/${clientId}`);
  },
);

test.each(["+", "#", "a/b", "x/../#", "/"])("[MQTT5-3.1.2-28] %s reaches beyond itself: it gets none, and is served", (clientId) => {
  const world = new World({ choices: { responseInformation: "responses/%c" } });
  const client = world.connect(clientId, { properties: { requestResponseInformation: 1 } });
  expect(client.connack.reasonCode).toBe(0);
  expect(client.connack.properties.responseInformation).toBeUndefined();
});

test("a name gets nobody among the broker's own topics", () => {
  expect(responseInformation("%c/answers", "$SYS")).toBeUndefined();
  expect(responseInformation("%c/answers", "S")).toBe("S/answers");
  expect(responseInformation("$answers/%c", "S")).toBe("$answers/S");
});

test("without %c all clients get the same", () => {
  expect(responseInformation("answers", "a/#")).toBe("answers");
});
