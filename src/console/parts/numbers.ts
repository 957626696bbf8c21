/** Numbers as the console writes them. */

const COUNT = new Intl.NumberFormat("en");

export function countText(count: number): string {
  return count < 1000 ? String(count) : COUNT.format(count);
}

/** @param rate a second */
export function rateText(rate: number): string {
  if (rate === 0) return "0/s";
  return rate < 10 ? `${rate.toFixed(1)}/s` : `${countText(Math.round(rate))}/s`;
}

export function timeText(time: number | Date): string {
  return new Date(time).toLocaleTimeString(undefined, { hour12: false });
}

/** A time of day with milliseconds. */
export function preciseTimeText(time: number): string {
  return `${timeText(time)}.${String(time % 1000).padStart(3, "0")}`;
}

/** A time of day, with its date where that is not today's. */
export function momentText(time: number | string): string {
  const date = new Date(time);
  if (date.toDateString() === new Date().toDateString()) return timeText(date);
  return `${date.toLocaleDateString(undefined, { dateStyle: "medium" })}, ${timeText(date)}`;
}

/** A time that has passed, or is to come, in the largest unit that says enough. */
export function spanText(seconds: number): string {
  const units = [
    [86_400, "d"],
    [3600, "h"],
    [60, "min"],
  ] as const;
  for (const [size, name] of units) if (seconds >= size) return `${Math.floor(seconds / size)} ${name}`;
  return `${Math.floor(seconds)} s`;
}

/** Bytes as people say them. */
export function sizeText(bytes: number): string {
  if (bytes < 1024) return bytes === 1 ? "1 byte" : `${bytes} bytes`;
  return bytes < 1024 * 1024 ? `${(bytes / 1024).toFixed(1)} KiB` : `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
}
