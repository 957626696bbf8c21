/**
 * Whether a token was signed by somebody who is trusted. A shared secret checks HS256, HS384 and HS512 and nothing else, public keys
 * check everything but those, each only the algorithms that it is made for: which of them, the token's header decides, but never with
 * what. `none` is no algorithm.
 */

import { compactVerify } from "jose/jws/compact/verify";
import { importSPKI } from "jose/key/import";
import { KEYS_TRIED_MAX } from "../login-limits.ts";
import type { ProviderKey } from "./jwk-set.ts";
import { type Claims, claimOf } from "./jwt-claims.ts";
import type { JwtSettings } from "./jwt-settings.ts";
import { objectOf, type TokenHeader } from "./jwt-token.ts";
import { ProviderKeys, type ProviderServices } from "./provider-keys.ts";
import type { PublicKey } from "./public-keys.ts";

const HMAC_ALGORITHMS: readonly string[] = ["HS256", "HS384", "HS512"];

/** What came of checking a signature: `unknown` = nobody here has the key; `unavailable` = nor can it be had now; `foreign` = it is not of its issuer. */
export type Checked = { readonly claims: Claims } | "wrong" | "foreign" | "unknown" | "unavailable";

type Key = Parameters<typeof compactVerify>[1];

export class Signatures {
  readonly #secret: Uint8Array;
  readonly #publicKeys: readonly ImportedKey[];
  readonly #providers: readonly { readonly keys: ProviderKeys; readonly issuer: string | undefined }[];
  /** Issuers whose tokens none but their own keys sign. */
  readonly #tied: ReadonlySet<unknown>;

  constructor({ secret, publicKeys, jwksUrls }: Pick<JwtSettings, "secret" | "publicKeys" | "jwksUrls">, services: ProviderServices) {
    this.#secret = secret;
    this.#publicKeys = publicKeys.map((key) => new ImportedKey(key));
    this.#providers = jwksUrls.map(({ url, issuer }) => ({ keys: new ProviderKeys(url, services), issuer }));
    this.#tied = new Set(jwksUrls.flatMap(({ issuer }) => issuer ?? []));
  }

  /** @param header that of this very token */
  async check(token: string, header: TokenHeader): Promise<Checked> {
    if (HMAC_ALGORITHMS.includes(header.alg)) {
      return this.#secret.length === 0
        ? "unknown"
        : this.#ofIssuer((await verified(token, header.alg, this.#secret)) ?? "wrong", undefined);
    }
    const here = await this.#checkHere(token, header);
    if (here !== "unknown" || this.#providers.length === 0) return here;
    await Promise.all(this.#providers.map(({ keys }) => keys.refresh()));
    const known = await this.#checkByProviders(token, header);
    if (known !== "unknown") return known;
    await Promise.all(this.#providers.map(({ keys }) => keys.seek()));
    const sought = await this.#checkByProviders(token, header);
    return sought === "unknown" && this.#providers.some(({ keys }) => !keys.reached) ? "unavailable" : sought;
  }

  /** By the keys of the settings: they have no names, so that one which does not fit may be a provider's. */
  async #checkHere(token: string, { alg }: TokenHeader): Promise<Checked> {
    const fitting = this.#publicKeys.filter(({ algorithms }) => algorithms.includes(alg));
    for (const key of fitting.slice(0, KEYS_TRIED_MAX)) {
      const claims = await verified(token, alg, await key.of(alg));
      if (claims !== undefined) return this.#ofIssuer(claims, undefined);
    }
    return fitting.length > 0 && this.#providers.length === 0 ? "wrong" : "unknown";
  }

  async #checkByProviders(token: string, { alg, kid }: TokenHeader): Promise<Checked> {
    const fitting = this.#providers
      .flatMap(({ keys: { keys }, issuer }) => keys.map((key) => ({ ...key, issuer })))
      .filter((key) => key.algorithms.includes(alg) && (kid === undefined || key.kid === kid));
    let isForeign = false;
    for (const { jwk, issuer } of fitting.slice(0, KEYS_TRIED_MAX)) {
      const claims = await verified(token, alg, jwk);
      if (claims === undefined) continue;
      const checked = this.#ofIssuer(claims, issuer);
      if (checked !== "foreign") return checked;
      // The same key may be another issuer's as well.
      isForeign = true;
    }
    if (isForeign) return "foreign";
    // Without a name it may be of a key that has come since.
    return fitting.length > 0 && kid !== undefined ? "wrong" : "unknown";
  }

  /** An issuer that is tied to keys is believed to them alone, and they to it. @param tied that of the key */
  #ofIssuer(checked: Checked, tied: string | undefined): Checked {
    if (typeof checked === "string") return checked;
    const issuer = claimOf(checked.claims, "iss");
    return (tied === undefined ? !this.#tied.has(issuer) : issuer === tied) ? checked : "foreign";
  }
}

/** A key of the settings, imported once for each algorithm: the platform's keys are for one each. */
class ImportedKey {
  readonly #key: PublicKey;
  readonly #imported = new Map<string, CryptoKey>();

  constructor(key: PublicKey) {
    this.#key = key;
  }

  get algorithms(): readonly string[] {
    return this.#key.algorithms;
  }

  async of(algorithm: string): Promise<CryptoKey> {
    const known = this.#imported.get(algorithm);
    if (known !== undefined) return known;
    const key = await importSPKI(this.#key.pem, algorithm);
    this.#imported.set(algorithm, key);
    return key;
  }
}

/** @returns undefined when it was not signed by this key, or has no claims */
async function verified(token: string, algorithm: string, key: Key | ProviderKey["jwk"]): Promise<{ readonly claims: Claims } | undefined> {
  try {
    const { payload } = await compactVerify(token, key as Key, { algorithms: [algorithm] });
    const claims = objectOf(payload);
    return claims && { claims };
  } catch {
    // A key that can't be imported, a signature that does not fit, claims that are no JSON: all of them are no.
    return undefined;
  }
}
