/**
 * `/api/v5`: what programs and operators do without an MQTT client. Closed without tokens, and to whoever does not show one that is for what is
 * asked; each answer is JSON and stays with who asked.
 */

import { Hono } from "hono";
import { HTTPException } from "hono/http-exception";
import { log } from "../objects/log.ts";
import { access, needs, needsDirectory } from "./access.ts";
import { banned } from "./banned.ts";
import { clients } from "./clients.ts";
import type { ApiContext } from "./context.ts";
import { live } from "./live.ts";
import { portable } from "./portable.ts";
import { problem } from "./problem.ts";
import { publishing } from "./publishing.ts";
import { retained } from "./retained.ts";
import { users } from "./users.ts";

/** EMQX's name for users that the broker itself keeps; some encode the colon. */
const USERS_PATHS = ["password_based:built_in_database", "password_based%3Abuilt_in_database"];

export const api = new Hono<ApiContext>({ strict: false });

api.use(access);

api.route("/", publishing);
api.route("/clients", clients);
api.route("/mqtt/retainer", retained);
api.route("/subscribe", live);

const ofDirectory = new Hono<ApiContext>({ strict: false });
ofDirectory.use(needs("admin"), needsDirectory);
ofDirectory.route("/banned", banned);
ofDirectory.route("/portable", portable);
for (const path of USERS_PATHS) ofDirectory.route(`/authentication/${path}/users`, users);
api.route("/", ofDirectory);

api.all("*", () => problem("NOT_FOUND", "There is nothing at this path of the API."));
api.onError((error) => {
  if (error instanceof HTTPException) return error.getResponse();
  log("request failed", { problem: error.message });
  return problem("INTERNAL_ERROR", "The broker failed to answer this request.");
});
