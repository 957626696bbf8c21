/** An identity provider for tests: an HTTP server with a set of keys that may be changed, slow, gone or wrong. */

import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";

export interface IdentityProvider {
  /** Where its keys are. */
  readonly url: string;
  /** Entries of its JWK Set. */
  keys: readonly object[];
  /** Answers instead of its keys. */
  instead: RequestListener | undefined;
  /** How often it was asked. */
  asked: number;
  close(): void;
}

export async function startProvider(keys: readonly object[] = []): Promise<IdentityProvider> {
  const server = createServer((request, response) => {
    provider.asked += 1;
    if (provider.instead !== undefined) provider.instead(request, response);
    else response.setHeader("Content-Type", "application/json").end(JSON.stringify({ keys: provider.keys }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const provider: IdentityProvider = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/keys`,
    keys,
    instead: undefined,
    asked: 0,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
  return provider;
}
