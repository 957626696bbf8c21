/** What this process writes from now on is for its user alone, as all is that a broker keeps. */
export function forItsUserAlone(): void {
  if (process.platform !== "win32") process.umask(0o077);
}
