/** Which addresses only programs on this machine can reach: there a broker without users lets everybody in, elsewhere nobody. */

export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127(\.[0-9]{1,3}){3}$/.test(host);
}
