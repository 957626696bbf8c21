/** One line of JSON for people who run the broker. Facts only: no payloads, no passwords, no stack traces. */
export function log(event: string, facts: Readonly<Record<string, string | number | boolean>>): void {
  console.log(JSON.stringify({ event, ...facts }));
}

/** Opens a store; one that refuses what it finds is told of before its object fails. */
export function opened<Store>(object: string, open: () => Store): Store {
  try {
    return open();
  } catch (error) {
    log("stored data refused", { object, problem: error instanceof Error ? error.message : String(error) });
    throw error;
  }
}
