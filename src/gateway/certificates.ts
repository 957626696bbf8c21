/**
 * The certificates of a TLS listener: several pairs, of which the name that a client asks for (SNI) chooses one, and authorities whose client
 * certificates are taken. All of it is read from files, at the start and again when it is told to: what can't be used then changes nothing.
 */

import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { createSecureContext, type SecureContext, type SecureContextOptions } from "node:tls";
import { GatewayProblem } from "./problem.ts";

export interface CertificateFiles {
  /** In PEM; the first pair is for whoever asks for no name, or for one that none of them is for. */
  readonly pairs: readonly { readonly cert: string; readonly key: string }[];
  /** Certificates of the authorities of clients, in PEM; without it clients are asked for none. */
  readonly ca?: string | undefined;
  /** Certificates of clients that are revoked, in PEM. */
  readonly crl?: string | undefined;
}

interface Pair {
  readonly certificate: X509Certificate;
  readonly options: SecureContextOptions;
  readonly context: SecureContext;
}

export class Certificates {
  readonly #files: CertificateFiles;
  #pairs: readonly Pair[];

  /** @throws GatewayProblem when a file can't be read or used */
  constructor(files: CertificateFiles) {
    this.#files = files;
    this.#pairs = pairsOf(files);
  }

  /** Clients have to show a certificate, or may. */
  get asksForCertificates(): boolean {
    return this.#files.ca !== undefined;
  }

  /** Of the first pair. */
  get options(): SecureContextOptions {
    return this.#pairs[0]!.options;
  }

  /** When the first of them ends. */
  get validUntil(): Date {
    return new Date(Math.min(...this.#pairs.map(({ certificate }) => Date.parse(certificate.validTo))));
  }

  /** @param name that a client asks for @returns undefined where the first pair is as good as any */
  contextFor(name: string): SecureContext | undefined {
    return this.#pairs.find(({ certificate }) => certificate.checkHost(name) !== undefined)?.context;
  }

  /** @throws GatewayProblem when a file can't be read or used: then all is as it was */
  reload(): void {
    this.#pairs = pairsOf(this.#files);
  }
}

function pairsOf({ pairs, ca, crl }: CertificateFiles): Pair[] {
  const forAll = {
    ...(ca === undefined ? {} : { ca: read(ca) }),
    ...(crl === undefined ? {} : { crl: read(crl) }),
  };
  if (ca !== undefined) certificateIn(ca, forAll.ca!);
  return pairs.map(({ cert, key }) => {
    const options = { cert: read(cert), key: read(key), ...forAll };
    const certificate = certificateIn(cert, options.cert);
    return { certificate, options, context: contextOf(options, cert, key) };
  });
}

function read(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new GatewayProblem(`${file} can't be read (${(error as NodeJS.ErrnoException).code}).`);
  }
}

function certificateIn(file: string, pem: Buffer): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch {
    throw new GatewayProblem(`${file} holds no certificate in PEM.`);
  }
}

function contextOf(options: SecureContextOptions, cert: string, key: string): SecureContext {
  try {
    return createSecureContext(options);
  } catch (error) {
    const { code = "", message } = error as NodeJS.ErrnoException;
    if (code === "ERR_OSSL_X509_KEY_VALUES_MISMATCH") throw new GatewayProblem(`${key} is not the key of ${cert}.`);
    if (/PEM|DECODER|BAD_DECRYPT|INTERRUPTED/i.test(code + message))
      throw new GatewayProblem(`${key} holds no private key in PEM that can be read without a password.`);
    throw new GatewayProblem(`TLS can't be had with ${cert} and ${key}: ${message.split("\n", 1)[0]}.`);
  }
}
