/**
 * `npm run token`: signs a token (JWT) for a broker that takes tokens, and prints it and nothing else. For local use and for tests: where there
 * is an identity provider, that signs them.
 *
 * The secret is taken from the environment, in the form of the broker's setting, so that no history of a shell has it.
 */

import { createPrivateKey, type KeyObject } from "node:crypto";
import { readFileSync } from "node:fs";
import { InvalidArgumentError, Option } from "commander";
import { SignJWT } from "jose/jwt/sign";
import { JWT_SETTINGS } from "../../src/auth/jwt-settings.ts";
import { callOf } from "../../src/cli/calling.ts";
import { Problem, UsageProblem } from "../../src/cli/problem.ts";
import type { Command } from "../../src/cli/program.ts";
import { durationOf, several } from "../../src/cli/values.ts";

const CURVES: Readonly<Record<string, string>> = { prime256v1: "ES256", secp384r1: "ES384", secp521r1: "ES512" };

type Pair = readonly [name: string, value: string];

interface Options {
  readonly user?: string;
  readonly clientId?: string;
  /** Milliseconds. */
  readonly expires: number | "never";
  readonly begins?: number;
  readonly publish: readonly string[];
  readonly subscribe: readonly string[];
  readonly acl?: unknown;
  readonly superuser: boolean;
  readonly attribute: readonly Pair[];
  readonly issuer?: string;
  readonly audience: readonly string[];
  readonly claim: readonly Pair[];
  readonly key?: string;
  readonly kid?: string;
  readonly algorithm?: string;
}

export function define(command: Command): void {
  command
    .description("Signs a token (JWT) for a broker that takes tokens, and prints it and nothing else.")
    .option("--user <name>", "sub: the user")
    .option("--client-id <id>", "clientid_override: the Client Identifier that the client gets, whatever it says")
    .addOption(
      new Option("--expires <time>", "how long it is good, as 90s, 30m, 1h, 7d, or never").default(3_600_000, "1h").argParser(expiryOf),
    )
    .option("--begins <time>", "how long until it is good (default: at once)", durationOf)
    .option("--publish <filter>", "what may be published to; may be given several times", several, [])
    .option("--subscribe <filter>", "what may be subscribed to; may be given several times", several, [])
    .option("--acl <json>", "acl: a list of rules, instead of the two", rulesIn)
    .option("--superuser", "is_superuser: everything may be done", false)
    .option("--attribute <name=text>", "client_attrs: a name and its text; may be given several times", pairs, [])
    .option("--issuer <text>", "iss")
    .option("--audience <text>", "aud; may be given several times", several, [])
    .option("--claim <name=value>", "any other claim, the value in JSON or a text; may be given several times", pairs, [])
    .option("--key <file>", "the private key in PEM to sign with; otherwise the secret JWT_SECRET of the environment")
    .option("--kid <name>", "the key's name in the token")
    .option("--algorithm <name>", "HS256, RS256, ES256, ES384, ES512 or EdDSA by default, as the key is")
    .addHelpText("after", `\nFor example: JWT_SECRET=... ${callOf("token")} --user ada --publish 'home/#' --subscribe 'home/#'`)
    .action(sign);
}

function expiryOf(text: string): number | "never" {
  return text === "never" ? text : durationOf(text);
}

function pairs(text: string, former: readonly Pair[]): Pair[] {
  const at = text.indexOf("=");
  if (at < 1) throw new InvalidArgumentError("Expected a name, = and a value.");
  return [...former, [text.slice(0, at), text.slice(at + 1)]];
}

function rulesIn(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new InvalidArgumentError("Expected JSON: a list of rules.");
  }
}

/** JSON, or the text itself. */
function claimValue(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** The default algorithm of a private key. */
function algorithmOf({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): string | undefined {
  if (asymmetricKeyType === "rsa") return "RS256";
  return asymmetricKeyType === "ed25519" ? "EdDSA" : CURVES[asymmetricKeyDetails?.namedCurve ?? ""];
}

function keyOf(file: string | undefined): { readonly key: KeyObject | Uint8Array; readonly algorithm: string } {
  if (file === undefined) {
    const key = JWT_SETTINGS.secret.parse(process.env.JWT_SECRET ?? "");
    if (key === undefined) throw new Problem(`JWT_SECRET must be ${JWT_SETTINGS.secret.form}.`);
    if (key.length === 0)
      throw new UsageProblem("There is nothing to sign with: set JWT_SECRET in the environment, or name a private key by --key.");
    return { key, algorithm: "HS256" };
  }
  let key: KeyObject;
  try {
    key = createPrivateKey(readFileSync(file));
  } catch {
    throw new Problem(`${file} can't be read, or holds no private key in PEM.`);
  }
  const algorithm = algorithmOf(key);
  if (algorithm === undefined) throw new Problem(`${file} holds a key that tokens can't be signed with.`);
  return { key, algorithm };
}

function rulesOf({ acl, publish, subscribe }: Options): unknown {
  if (acl !== undefined && publish.length + subscribe.length > 0)
    throw new UsageProblem("--acl stands instead of --publish and --subscribe.");
  if (acl !== undefined) return acl;
  const allow = (action: string, topics: readonly string[]) => (topics.length === 0 ? [] : [{ permission: "allow", action, topics }]);
  const rules = [...allow("publish", publish), ...allow("subscribe", subscribe)];
  return rules.length === 0 ? undefined : rules;
}

function claimsOf(options: Options): Record<string, unknown> {
  const now = Math.floor(Date.now() / 1000);
  const { expires, begins, attribute } = options;
  const claims = {
    ...Object.fromEntries(options.claim.map(([name, value]) => [name, claimValue(value)])),
    sub: options.user,
    clientid_override: options.clientId,
    iss: options.issuer,
    aud: options.audience.length > 1 ? options.audience : options.audience[0],
    iat: now,
    nbf: begins === undefined ? undefined : now + Math.round(begins / 1000),
    exp: expires === "never" ? undefined : now + Math.round(expires / 1000),
    is_superuser: options.superuser ? true : undefined,
    client_attrs: attribute.length === 0 ? undefined : Object.fromEntries(attribute),
    acl: rulesOf(options),
  };
  return Object.fromEntries(Object.entries(claims).filter(([, value]) => value !== undefined));
}

async function sign(options: Options): Promise<void> {
  const { key, algorithm } = keyOf(options.key);
  const header = { alg: options.algorithm ?? algorithm, typ: "JWT", ...(options.kid === undefined ? {} : { kid: options.kid }) };
  console.log(await new SignJWT(claimsOf(options)).setProtectedHeader(header).sign(key));
}
