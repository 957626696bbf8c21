/** Who is asked about subscriptions: an HTTP service in EMQX's way or in that of mosquitto-go-auth, another Worker. */

import type { Identity } from "../session/ports.ts";
import type { AskHook, Wish } from "./asked-rights.ts";
import { goAuthTemplate, readStatus } from "./go-auth.ts";
import { parseGrants } from "./grants.ts";
import { judgeAnswer } from "./hook-answer.ts";
import { readVerdict } from "./http-authenticator.ts";
import type { HttpHook } from "./http-hook.ts";
import { authzShape, type HttpSettings } from "./http-settings.ts";
import { RequestTemplate, SUBSCRIBE_PLACEHOLDERS, type ValueOf } from "./http-template.ts";
import type { AuthenticationService } from "./service-contract.ts";
import type { ServiceHook } from "./service-hook.ts";

/** mosquitto-go-auth's number for a wish to subscribe. */
const ACC_SUBSCRIBE = 4;

export function askHttp(settings: HttpSettings, hook: HttpHook): AskHook {
  const template = new RequestTemplate(authzShape(settings), SUBSCRIBE_PLACEHOLDERS);
  return async (identity, clientId, wish, namespace) => {
    const request = template.make(valuesOf(identity, clientId, wish, namespace));
    if (request === undefined) return "deny";
    const answer = await hook.ask(request, { address: identity.address }, readVerdict);
    return "value" in answer ? answer.value.result : undefined;
  };
}

export function askGoAuth(settings: HttpSettings, hook: HttpHook): AskHook {
  const body = { username: "${username}", clientid: "${clientid}", topic: "${topic}", acc: ACC_SUBSCRIBE };
  const template = goAuthTemplate(settings, "acl", body, SUBSCRIBE_PLACEHOLDERS);
  return async (identity, clientId, wish, namespace) => {
    const request = template.make(valuesOf(identity, clientId, wish, namespace));
    if (request === undefined) return "deny";
    const answer = await hook.ask(request, { address: identity.address }, readStatus);
    return "value" in answer ? (answer.value.yes ? "allow" : "deny") : undefined;
  };
}

export function askService(service: AuthenticationService, hook: ServiceHook): AskHook {
  return async ({ userName, address, grants }, clientId, { topicFilter: topic, qos }, namespace) => {
    const clientAttributes = attributesOf(grants);
    const request = { namespace, clientId, userName, address, clientAttributes, action: "subscribe", topic, qos } as const;
    // A binding has every method that it is asked for.
    const answer = await hook.ask({ address }, () => service.authorize!(request), judgeAnswer);
    return "value" in answer ? answer.value.result : undefined;
  };
}

/** Asks one after the other until one decides. One that can't be had decides as well: nobody knows what it would have said. */
export function askInOrder(hooks: readonly AskHook[]): AskHook {
  return async (identity, clientId, wish, namespace) => {
    for (const ask of hooks) {
      const answer = await ask(identity, clientId, wish, namespace);
      if (answer !== "ignore") return answer;
    }
    return "ignore";
  };
}

function valuesOf({ userName, address, grants }: Identity, clientId: string, { topicFilter, qos }: Wish, namespace: string): ValueOf {
  const values: Readonly<Record<string, string>> = {
    clientid: clientId,
    username: userName ?? "",
    peerhost: address,
    namespace,
    action: "subscribe",
    topic: topicFilter,
    qos: String(qos),
    retain: "false",
  };
  const attributes = attributesOf(grants);
  return (placeholder) => {
    const [of, name] = placeholder.split(/\.(.*)/s);
    const [texts, key] = of === "client_attrs" ? [attributes, name!] : [values, placeholder];
    return Object.hasOwn(texts, key) ? texts[key]! : "";
  };
}

function attributesOf(grants: string): Readonly<Record<string, string>> {
  return grants === "" ? {} : (parseGrants(grants)?.attributes ?? {});
}
