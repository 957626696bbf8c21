/** `defineBroker` in somebody's Worker: its paths, settings in code, who is let in and what rights code gives, on every topology. */

import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { checkOptions } from "../../src/hooks/options.ts";
import { SETTINGS } from "../../src/settings.ts";
import { describeEmbedded } from "../support/embedded-broker.ts";
import { request, textOf, unique } from "../support/mqtt-client.ts";

const PASSWORD = unique("planted");
const TOKEN = "a-token-for-all-of-the-api";
const API_TOKENS = JSON.stringify([{ name: "op", sha256: createHash("sha256").update(TOKEN).digest("hex"), scopes: ["admin"] }]);

describe("options", () => {
  const wrong: readonly (readonly [options: unknown, sentence: RegExp])[] = [
    [undefined, /the options must be an object/],
    [{ onpublish: () => {} }, /onpublish is no option\. Expected: settings, .*path, authenticate, authorize/],
    [{ authorize: true }, /authorize must be a function/],
    [{ path: "broker" }, /path must be empty, or begin with a slash/],
    [{ path: "/broker/" }, /path must be empty, or begin with a slash/],
    [{ settings: [] }, /settings must be an object, or a function/],
    [{ settings: { TOPOLOGIE: "compact" } }, /TOPOLOGIE is no setting\. Expected: TOPOLOGY, SESSION_SHARDS/],
    [{ settings: { SESSION_SHARDS: 1.5 } }, /SESSION_SHARDS must be a whole number from 0 to 1024 \(found: "1\.5"\)/],
    [{ settings: { TOPOLOGY: ["compact"] } }, /TOPOLOGY must be sharded or compact \(found: something that is not text\)/],
    [{ settings: { TOPOLOGY: "flat", toString: 1 }, path: 1 }, /toString is no setting.*TOPOLOGY must be.*path must be/],
  ];
  test.each(wrong)("%o", (options, sentence) => {
    expect(() => checkOptions(options)).toThrow(sentence);
  });

  test("a secret in code is not repeated", () => {
    expect(() => checkOptions({ settings: { METRICS_TOKEN: "planted" } })).toThrow(/^(?!.*planted).*METRICS_TOKEN must be/);
  });

  test("what is right: every setting with its default, and no option at all", () => {
    checkOptions({});
    checkOptions({
      settings: Object.fromEntries(SETTINGS.map(({ name, default: value }) => [name, value])),
      path: "/a/b",
      authorize: undefined,
    });
    checkOptions({ settings: () => ({ whatever: 1 }) });
  });
});

describeEmbedded(
  (broker) => {
    const { director } = broker;
    const login = (answer: object = {}): void =>
      director.on("authenticate", ({ args: [{ userName, password }] }) => {
        if (userName === "throws") return { error: `about ${password}` };
        if (userName === "hangs") return new Promise(() => {});
        if (userName === "lies") return { value: { result: "allow", is_superuser: "yes" } };
        if (userName === "unknown") return { value: { result: "ignore" } };
        if (userName === "nothing") return {};
        return { value: password === PASSWORD ? { result: "allow", ...answer } : { result: "deny" } };
      });
    const ALL = { acl: [{ permission: "allow", action: "all", topic: "rules/#" }] };
    const ADA = { userName: "ada", password: PASSWORD, version: 5 } as const;

    test("its paths are below the prefix; all others are the author's", async () => {
      const health = await fetch(`${broker.url}/health`);
      expect(await health.json()).toEqual({ status: "ok", topology: broker.shape === "compact" ? "compact" : "sharded" });
      expect((await fetch(`${broker.url}/mqtt`)).status).toBe(426);
      expect((await fetch(`${broker.url}/api/v5/banned`)).status).toBe(401);
      for (const path of ["/broker", "/broker/", "/broker/else", "/brokers/mqtt", "/mqtt", "/"])
        expect([path, (await fetch(new URL(path, broker.url))).status]).toEqual([path, 418]);
    });

    test("code wins over variables", async () => {
      login();
      // The variables say 1000 and true.
      const client = await broker.open();
      const { reasonCode, properties } = await client.connect({ ...ADA });
      expect([reasonCode, properties.maximumPacketSize]).toEqual([0, 2000]);
      const anonymous = await broker.open();
      expect((await anonymous.connect({ version: 5 })).reasonCode).toBe(0x87);
    });

    test("authenticate is asked, with the namespace and all that the client says, and gives rights", async () => {
      login({ client_attrs: { site: "s1" }, ...ALL });
      const clientId = unique("c");
      const client = await broker.open({ clientId, query: "token=a-token" });
      expect((await client.connect({ ...ADA, clientId })).reasonCode).toBe(0);
      const { args, namespace } = await director.call("authenticate");
      const request_ = { namespace: "default", clientId, userName: "ada", password: PASSWORD, token: "a-token", protocolVersion: 5 };
      expect(args[0]).toEqual({ ...request_, address: expect.any(String) });
      expect(namespace).toBe("default");
      const filters = [request("rules/a", 1), request(`mine/${clientId}`, 1), request("mine/other", 1), request("else", 1)];
      expect((await client.subscribe(filters)).reasonCodes).toEqual([1, 1, 0x87, 0x87]);
    });

    test("authenticate that throws, hangs, lies or says nothing refuses that client and no other; what is logged has no password", async () => {
      login(ALL);
      const wrong = ["throws", "hangs", "lies", "nothing"].flatMap((userName) =>
        ([4, 5] as const).map(async (version) => {
          const client = await broker.open();
          const { reasonCode } = await client.connect({ userName, password: PASSWORD, version });
          return [userName, version, reasonCode === (version === 5 ? 0x88 : 3)];
        }),
      );
      const client = await broker.connect(ADA);
      await client.subscribe("rules/a");
      await client.publish("rules/a", "served meanwhile", { qos: 1 });
      expect(textOf(await client.message())).toBe("served meanwhile");
      expect((await Promise.all(wrong)).filter(([, , isRight]) => !isRight)).toEqual([]);
      const denied = await broker.open();
      expect((await denied.connect({ ...ADA, password: "wrong" })).reasonCode).toBe(0x87);
      const unknown = await broker.open();
      expect((await unknown.connect({ ...ADA, userName: "unknown" })).reasonCode).toBe(0x86);
      expect(broker.lines.filter((line) => line.includes("authenticate in code is no help")).length).toBeGreaterThan(0);
      expect(broker.lines.filter((line) => line.includes(PASSWORD))).toEqual([]);
    });

    test("authenticate publishes, where there is no object yet", async () => {
      login(ALL);
      const client = await broker.connect(ADA);
      const topic = `rules/${unique()}`;
      await client.subscribe(topic);
      director.on("authenticate", () => ({ value: { result: "deny" }, publish: { topic, payload: "somebody was refused" } }));
      const other = await broker.open();
      expect((await other.connect(ADA)).reasonCode).toBe(0x87);
      expect(textOf(await client.message())).toBe("somebody was refused");
    });

    test("authorize: true, false, and rules where it says nothing; a fault denies and is logged", async () => {
      login(ALL);
      const client = await broker.connect(ADA);
      const filters = ["may/subscribe", "may/publish", "never/subscribe", "rules/a", "else", "throws", "later", "odd"].map((filter) =>
        request(filter, 1),
      );
      expect((await client.subscribe(filters)).reasonCodes).toEqual([1, 0x87, 0x87, 1, 0x87, 0x87, 0x87, 0x87]);
      const topics = ["may/publish", "may/subscribe", "never/publish", "rules/a", "else", "throws", "later", "odd"];
      const codes = [];
      for (const topic of topics) codes.push((await client.publish(topic, "x", { qos: 1 }))?.reasonCode);
      expect(codes).toEqual([0x10, 0x87, 0x87, 0x00, 0x87, 0x87, 0x87, 0x87]);
      const faults = broker.lines.filter((line) => line.includes('"hook":"authorize"'));
      expect(faults.filter((line) => line.includes("authorize has failed")).length).toBe(1);
      expect(faults.filter((line) => line.includes("with a promise")).length).toBe(1);
      expect(faults.filter((line) => line.includes("with something else")).length).toBe(1);
      expect(faults.every((line) => line.includes(client.clientId))).toBe(true);
    });

    test("rights tried out say that code is asked first about logins and rights, and was not asked", async () => {
      const body = JSON.stringify({ username: "ada", action: "publish", topic: "rules/a" });
      const headers = { Authorization: `Bearer ${TOKEN}` };
      const answer = await fetch(`${broker.url}/api/v5/authorization/check`, { method: "POST", headers, body });
      const code = "The function authenticate of the Worker's code";
      expect(await answer.json()).toEqual({
        result: "deny",
        reason: "No rule allows it.",
        not_asked: [
          "The function authorize of the Worker's code is asked before all rules.",
          `${code} may know ada, whom this broker does not keep, and may give it rights that come first.`,
        ],
      });
    });

    test("authorize: what a subscription brings that it has allowed is given unless it or a rule denies", async () => {
      const acl = [
        { permission: "deny", action: "receive", topic: "may/subscribe/secret" },
        { permission: "allow", action: "publish", topic: "#" },
      ];
      login({ acl });
      const publisher = await broker.connect(ADA);
      const client = await broker.connect(ADA);
      expect((await client.subscribe([request("may/subscribe/#", 1), request("may/all/#", 1)])).reasonCodes).toEqual([1, 1]);
      const filters = [request("may/subscribe", 1), request("never/receive", 1)];
      expect((await client.subscribe(filters)).reasonCodes).toEqual([1, 0x87]);
      // Of the first no rule says anything, the second one denies, the third the code allows whatever rules say.
      for (const topic of ["may/subscribe/open", "may/subscribe/secret", "may/all/end"]) await publisher.publish(topic, topic, { qos: 1 });
      expect([textOf(await client.message()), textOf(await client.message())]).toEqual(["may/subscribe/open", "may/all/end"]);
    });
  },
  { PACKET_BYTES_MAX: 2000, ALLOW_ANONYMOUS: false, HTTP_AUTH_TIMEOUT_MS: 500, ADDRESS_LOGIN_FAILURE_RATE: "unlimited", API_TOKENS },
  { PACKET_BYTES_MAX: "1000", ALLOW_ANONYMOUS: "true" },
);
