/**
 * Signs a token (JWT) for a broker that takes tokens, and prints it and nothing else. For local use and for tests: where there is an
 * identity provider, that signs them.
 *
 *   JWT_SECRET=... npm run -s token -- --user ada --publish 'home/#' --subscribe 'home/#' --expires 1h
 *   npm run -s token -- --key private-key.pem --user ada --acl '[{"permission":"allow","action":"all","topic":"home/#"}]'
 *
 * The secret is taken from the environment, in the form of the broker's setting, so that no history of a shell has it.
 */

import { createPrivateKey, type KeyObject } from "node:crypto";
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { SignJWT } from "jose/jwt/sign";
import { JWT_SETTINGS } from "../../src/auth/jwt-settings.ts";

const HELP = `Usage: npm run -s token -- [options]
  --user NAME         sub: the user
  --client-id ID      clientid_override: the Client Identifier that the client gets, whatever it says
  --expires TIME      how long it is good, as 90s, 30m, 1h, 7d, or never (1h)
  --begins TIME       how long until it is good (at once)
  --publish FILTER    what may be published to; may be given several times
  --subscribe FILTER  what may be subscribed to; may be given several times
  --acl JSON          acl: a list of rules, instead of the two
  --superuser         is_superuser: everything may be done
  --attribute N=V     client_attrs: a name and its text; may be given several times
  --issuer TEXT       iss
  --audience TEXT     aud; may be given several times
  --claim NAME=VALUE  any other claim, VALUE in JSON or a text; may be given several times
  --key FILE          the private key in PEM to sign with; otherwise the secret JWT_SECRET of the environment
  --kid NAME          the key's name in the token
  --algorithm NAME    HS256, RS256, ES256, ES384, ES512 or EdDSA by default, as the key is`;

const UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };

const CURVES: Readonly<Record<string, string>> = { prime256v1: "ES256", secp384r1: "ES384", secp521r1: "ES512" };

class Wrong extends Error {}

function secondsOf(option: string, text: string): number {
  const match = /^(\d{1,9})([smhd])$/.exec(text);
  if (match === null) throw new Wrong(`${option} must be a time such as 90s, 30m, 1h or 7d, found ${text}.`);
  return Number(match[1]) * UNITS[match[2]!]!;
}

/** `name=value` */
function pairOf(option: string, text: string): [string, string] {
  const at = text.indexOf("=");
  if (at < 1) throw new Wrong(`${option} must be a name, = and a value, found ${text}.`);
  return [text.slice(0, at), text.slice(at + 1)];
}

/** JSON, or the text itself. */
function claimValue(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function aclOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Wrong("--acl must be JSON: a list of rules.");
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
    if (key === undefined) throw new Wrong(`JWT_SECRET must be ${JWT_SETTINGS.secret.form}.`);
    if (key.length === 0)
      throw new Wrong("There is nothing to sign with: set JWT_SECRET in the environment, or name a private key by --key.");
    return { key, algorithm: "HS256" };
  }
  let key: KeyObject;
  try {
    key = createPrivateKey(readFileSync(file));
  } catch {
    throw new Wrong(`${file} can't be read, or holds no private key in PEM.`);
  }
  const algorithm = algorithmOf(key);
  if (algorithm === undefined) throw new Wrong(`${file} holds a key that tokens can't be signed with.`);
  return { key, algorithm };
}

/** What stands on the command line. */
function read() {
  return parseArgs({
    options: {
      user: { type: "string" },
      "client-id": { type: "string" },
      expires: { type: "string", default: "1h" },
      begins: { type: "string" },
      publish: { type: "string", multiple: true, default: [] },
      subscribe: { type: "string", multiple: true, default: [] },
      acl: { type: "string" },
      superuser: { type: "boolean", default: false },
      attribute: { type: "string", multiple: true, default: [] },
      issuer: { type: "string" },
      audience: { type: "string", multiple: true, default: [] },
      claim: { type: "string", multiple: true, default: [] },
      key: { type: "string" },
      kid: { type: "string" },
      algorithm: { type: "string" },
      help: { type: "boolean", default: false },
    },
  }).values;
}

type Options = ReturnType<typeof read>;

function rulesOf({ acl, publish, subscribe }: Options): unknown {
  if (acl !== undefined && publish.length + subscribe.length > 0) throw new Wrong("--acl stands instead of --publish and --subscribe.");
  if (acl !== undefined) return aclOf(acl);
  const allow = (action: string, topics: readonly string[]) => (topics.length === 0 ? [] : [{ permission: "allow", action, topics }]);
  const rules = [...allow("publish", publish), ...allow("subscribe", subscribe)];
  return rules.length === 0 ? undefined : rules;
}

function claimsOf(options: Options): Record<string, unknown> {
  const now = Math.floor(Date.now() / 1000);
  const claims = {
    ...Object.fromEntries(options.claim.map((text) => pairOf("--claim", text)).map(([name, value]) => [name, claimValue(value)])),
    sub: options.user,
    clientid_override: options["client-id"],
    iss: options.issuer,
    aud: options.audience.length > 1 ? options.audience : options.audience[0],
    iat: now,
    nbf: options.begins === undefined ? undefined : now + secondsOf("--begins", options.begins),
    exp: options.expires === "never" ? undefined : now + secondsOf("--expires", options.expires),
    is_superuser: options.superuser ? true : undefined,
    client_attrs:
      options.attribute.length === 0 ? undefined : Object.fromEntries(options.attribute.map((text) => pairOf("--attribute", text))),
    acl: rulesOf(options),
  };
  return Object.fromEntries(Object.entries(claims).filter(([, value]) => value !== undefined));
}

async function main(): Promise<void> {
  const values = read();
  if (values.help) {
    console.log(HELP);
    return;
  }
  const { key, algorithm } = keyOf(values.key);
  const header = { alg: values.algorithm ?? algorithm, typ: "JWT", ...(values.kid === undefined ? {} : { kid: values.kid }) };
  console.log(await new SignJWT(claimsOf(values)).setProtectedHeader(header).sign(key));
}

try {
  await main();
} catch (error) {
  console.error(error instanceof Error ? error.message.split("\n", 1)[0] : String(error));
  process.exit(1);
}
