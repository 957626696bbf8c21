/**
 * A store whose refusal ends this life of its object: memory must not go on as if the row had been written. The object starts again from
 * what is stored; what was not stored was not acknowledged. A row that is too large is not storage's refusal but one client's fault.
 */

import { problemOf } from "../fault.ts";
import { RowTooLarge } from "../storage/row-limit.ts";
import { log } from "./log.ts";

/** Storage refused something; the object has been told to start again. */
export class StoreRefused extends Error {}

/** Where something fails that nobody waits for: a refusal has ended the object, and there is nothing more to say. @throws any other error */
export function unlessRefused(error: unknown): void {
  if (!(error instanceof StoreRefused)) throw error;
}

/** Logs why the object starts again, and makes it. */
export function startAgain(object: string, state: { abort(reason: string): void }, error: unknown): void {
  if (error instanceof StoreRefused) return;
  const problem = problemOf(error);
  log("rows could not be written; the object starts again", { object, problem });
  state.abort(`rows could not be written: ${problem}`);
}

/**
 * @param object its name
 * @param state resets it
 */
export function guardedStore<Store extends object>(store: Store, object: string, state: { abort(reason: string): void }): Store {
  return new Proxy(store, {
    get(target, name) {
      const value = Reflect.get(target, name) as unknown;
      if (typeof value !== "function") return value;
      return (...values: unknown[]): unknown => {
        try {
          return value.apply(target, values);
        } catch (error) {
          if (error instanceof RowTooLarge) throw error;
          startAgain(object, state, error);
          throw new StoreRefused("the storage refused a row");
        }
      };
    },
  });
}
