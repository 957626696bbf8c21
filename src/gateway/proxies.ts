/** Who may say by the PROXY protocol where clients are: the networks of one's own load balancers, and nobody else. */

import { contains, type Network, parseAddress, parseNetwork } from "../directory/network.ts";

export class Proxies {
  readonly #networks: readonly Network[];

  private constructor(networks: readonly Network[]) {
    this.#networks = networks;
  }

  /** @param texts addresses and networks such as 10.0.0.0/8 @returns the first of them that is none */
  static of(texts: readonly string[]): Proxies | string {
    const networks = texts.map((text) => parseNetwork(text));
    const wrong = networks.indexOf(undefined);
    return wrong < 0 ? new Proxies(networks as Network[]) : texts[wrong]!;
  }

  has(address: string): boolean {
    const parsed = parseAddress(address);
    return parsed !== undefined && this.#networks.some((network) => contains(network, parsed));
  }
}
