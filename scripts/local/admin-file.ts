/**
 * How commands on this machine find the broker that `npm start` runs: its URL and its admin token, in a file of the data folder that is for
 * its user alone. The token is made once for a folder, unless ADMIN_TOKEN gives another.
 */
import { randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export const ADMIN_FILE = "admin.json";

/** Bytes of a token that is made. */
const TOKEN_BYTES = 24;

export interface LocalAdmin {
  /** Of the broker that was started last. */
  readonly url: string;
  readonly token: string;
}

/** @returns undefined where no broker was ever started */
export function readAdminFile(data: string): LocalAdmin | undefined {
  try {
    const { url, token } = JSON.parse(readFileSync(join(data, ADMIN_FILE), "utf8")) as Partial<LocalAdmin>;
    return typeof url === "string" && typeof token === "string" ? { url, token } : undefined;
  } catch {
    return undefined;
  }
}

/** The token of this folder, or a new one. */
export function adminTokenOf(data: string): string {
  return readAdminFile(data)?.token ?? randomBytes(TOKEN_BYTES).toString("base64url");
}

/** @param data the folder */
export function writeAdminFile(data: string, admin: LocalAdmin): void {
  mkdirSync(data, { recursive: true, mode: 0o700 });
  writeFileSync(join(data, ADMIN_FILE), `${JSON.stringify(admin)}\n`, { mode: 0o600 });
}
