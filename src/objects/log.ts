/** One line of JSON for people who run the broker. Facts only: no payloads, no passwords, no stack traces. */
export function log(event: string, facts: Readonly<Record<string, string | number | boolean>>): void {
  console.log(JSON.stringify({ event, ...facts }));
}
