/**
 * How a fault of ours stays with the one it happened to. Wherever one loop serves several (clients, messages, answers, deadlines, rows),
 * what is done for each runs behind a `try` whose `catch` tells a FaultPort and goes on. The pure floors know this port and no log.
 */

/** Is told of what failed. Hosts log it, and whose it was. */
export interface FaultPort {
  /**
   * Throws it again when it is not one client's: the object has been told to start again, and nothing may go on as if it had not.
   * @param error what was thrown
   * @param doing what was being done, a few words for the log
   * @param client the Client Identifier that it was done for; undefined when that is not known
   */
  caught(error: unknown, doing: string, client: string | undefined): void;
}

/** Runs something for one of several. @returns false when it failed: then the port was told */
export function guarded(faults: FaultPort, doing: string, client: string | undefined, run: () => void): boolean {
  try {
    run();
    return true;
  } catch (error) {
    faults.caught(error, doing, client);
    return false;
  }
}

/** What was thrown, for people. Code that is not the broker's may throw anything; this never does. */
export function problemOf(error: unknown): string {
  try {
    const said: unknown = error instanceof Error ? error.message : error;
    return typeof said === "string" ? said : String(said);
  } catch {
    return "what was thrown has no text";
  }
}
