/**
 * What the author of a Worker has defined in its code, as the Worker and its objects use it: settings, which win over the environment, and
 * hooks. One for each `defineBroker`; the deployed Worker of this repository has one without anything in it.
 */

import { problemOf } from "../fault.ts";
import { type ConsumerOptions, consumerOptions } from "../hooks/consumer-options.ts";
import type { BrokerHooks, BrokerOptions } from "../hooks/contract.ts";
import { hooksOf } from "../hooks/options.ts";
import { type CodeSettings, parseSettings, type Settings, type SettingsProblem } from "../settings.ts";
import type { BrokerEnv } from "./env.ts";
import { log } from "./log.ts";

export class Definition {
  readonly hooks: BrokerHooks;
  readonly consumers: readonly ConsumerOptions[];
  readonly #settings: BrokerOptions["settings"];
  readonly #known = new WeakMap<object, Settings | SettingsProblem[]>();

  /** @param options that were checked */
  constructor(options: BrokerOptions = {}) {
    this.hooks = hooksOf(options);
    this.consumers = (options.onMessages ?? []).map(consumerOptions);
    this.#settings = options.settings;
  }

  /** The settings, parsed once for each environment; or what is wrong with them. */
  settingsOf(env: BrokerEnv): Settings | SettingsProblem[] {
    let settings = this.#known.get(env);
    if (settings === undefined) {
      const code = this.#inCode(env);
      settings = Array.isArray(code) ? code : parseSettings(env, code as CodeSettings);
      this.#known.set(env, settings);
    }
    return settings;
  }

  /** The settings of an object, which the Worker reaches only when they are right. */
  requireSettings(env: BrokerEnv): Settings {
    const settings = this.settingsOf(env);
    if (Array.isArray(settings)) throw new Error(settings.map(({ sentence }) => sentence).join(" "));
    return settings as Settings;
  }

  #inCode(env: BrokerEnv): CodeSettings | SettingsProblem[] {
    if (typeof this.#settings !== "function") return this.#settings ?? {};
    const wrong = (sentence: string): SettingsProblem[] => [{ variable: "settings", sentence }];
    try {
      const code: unknown = this.#settings(env);
      const isObject = typeof code === "object" && code !== null && !Array.isArray(code) && !(code instanceof Promise);
      return isObject ? (code as CodeSettings) : wrong("settings(env) must return an object, at once.");
    } catch (error) {
      // What it says may have anything of `env` in it: that is for the log, not for who asks.
      log("settings(env) has thrown an error", { problem: problemOf(error) });
      return wrong("settings(env) has thrown an error, which the log has.");
    }
  }
}
