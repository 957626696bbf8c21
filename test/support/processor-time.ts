/** How long something takes, in a way that does not depend on what else the machine does. */

/** @returns the milliseconds of processor time that this process spends meanwhile */
export function processorMs(run: () => void): number {
  const before = process.cpuUsage();
  run();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}
