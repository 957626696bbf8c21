/** What users give up: it is not waited for any more, and taken back as far as that can be. */

import { MqttError } from "./error.ts";

/** An AbortSignal, as far as the client uses it. */
export interface AbortSignalLike {
  readonly aborted: boolean;
  readonly reason?: unknown;
  addEventListener(type: "abort", listener: () => void): void;
  removeEventListener(type: "abort", listener: () => void): void;
}

/**
 * Waits for something unless the signal says that nobody does.
 * @param begin not called when the signal has said so before
 * @param abandon takes back what was begun
 * @throws MqttError of the kind `aborted`, whose cause is the signal's reason
 */
export function abortable<T>(signal: AbortSignalLike | undefined, begin: () => Promise<T>, abandon: () => void): Promise<T> {
  if (signal === undefined) return begin();
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(new MqttError("aborted", "It was aborted", { cause: signal.reason }));
    if (signal.aborted) {
      abort();
      return;
    }
    const aborted = (): void => {
      abort();
      abandon();
    };
    signal.addEventListener("abort", aborted);
    void begin()
      .then(resolve, reject)
      .then(() => signal.removeEventListener("abort", aborted));
  });
}
