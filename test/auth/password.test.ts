import { pbkdf2Sync } from "node:crypto";
import { describe, expect, test } from "vitest";
import {
  dummyHash,
  equalConstantTime,
  hashPassword,
  ITERATIONS_MAX,
  ITERATIONS_MIN,
  isPasswordHash,
  verifyPassword,
} from "../../src/auth/password.ts";
import { quickHash, utf8 } from "./support.ts";

describe("password hashes", () => {
  test("verify the password that was hashed and no other", async () => {
    const hash = await quickHash("correct horse");
    expect(await verifyPassword(utf8("correct horse"), hash)).toBe(true);
    for (const wrong of ["", "correct hors", "correct horse ", "Correct horse", "correct\u0000horse"]) {
      expect(await verifyPassword(utf8(wrong), hash)).toBe(false);
    }
  });

  test("hold for any bytes, also none and those that are not UTF-8", async () => {
    for (const password of [new Uint8Array(0), Uint8Array.of(0), Uint8Array.of(0xff, 0xfe, 0x80), new Uint8Array(65_535).fill(7)]) {
      const hash = await hashPassword(password, ITERATIONS_MIN);
      expect(await verifyPassword(password, hash)).toBe(true);
      expect(await verifyPassword(Uint8Array.of(...password.subarray(0, 10), 1), hash)).toBe(false);
    }
  });

  test("have the documented form, a new salt each time and 100,000 iterations when nothing is said", async () => {
    const [first, second] = [await hashPassword(utf8("a")), await hashPassword(utf8("a"))];
    expect(first).toMatch(/^pbkdf2-sha256\$100000\$[A-Za-z0-9+/]{22}==\$[A-Za-z0-9+/]{43}=$/);
    expect(second).not.toBe(first);
    expect(await verifyPassword(utf8("a"), first)).toBe(true);
  });

  test("are PBKDF2-HMAC-SHA-256 as other software computes it", async () => {
    const salt = Buffer.from("0123456789abcdef");
    const hash = pbkdf2Sync("pässword", salt, 4096, 32, "sha256").toString("base64");
    expect(await verifyPassword(utf8("pässword"), `pbkdf2-sha256$4096$${salt.toString("base64")}$${hash}`)).toBe(true);
  });

  test("are refused when Workers could not check them or when their form is wrong", async () => {
    const valid = await quickHash("a");
    const [scheme, iterations, salt, hash] = valid.split("$");
    expect(isPasswordHash(valid)).toBe(true);
    for (const text of [
      "",
      "a",
      `${valid}$`,
      `${valid} `,
      ["pbkdf2-sha512", iterations, salt, hash].join("$"),
      [scheme, ITERATIONS_MAX + 1, salt, hash].join("$"),
      [scheme, ITERATIONS_MIN - 1, salt, hash].join("$"),
      [scheme, "1e4", salt, hash].join("$"),
      [scheme, "010000", salt, hash].join("$"),
      [scheme, iterations, "", hash].join("$"),
      [scheme, iterations, "c2hvcnQ=", hash].join("$"),
      [scheme, iterations, btoa("s".repeat(65)), hash].join("$"),
      [scheme, iterations, "not base64 at all!", hash].join("$"),
      [scheme, iterations, salt, hash.slice(4)].join("$"),
      [scheme, iterations, salt, hash.replace("=", "")].join("$"),
      [scheme, iterations, salt].join("$"),
    ]) {
      expect(isPasswordHash(text), text).toBe(false);
      expect(await verifyPassword(utf8("a"), text), text).toBe(false);
    }
  });

  test("are not made with iterations out of range", async () => {
    for (const iterations of [0, ITERATIONS_MIN - 1, ITERATIONS_MAX + 1, 1000.5, Number.NaN]) {
      await expect(hashPassword(utf8("a"), iterations)).rejects.toThrow(/whole number from 1000 to 100000/);
    }
  });

  test("a dummy costs the iterations of its model and is nobody's", async () => {
    const dummy = dummyHash(await quickHash("a"));
    expect(dummy.split("$")[1]).toBe(String(ITERATIONS_MIN));
    expect(isPasswordHash(dummy)).toBe(true);
    expect(await verifyPassword(utf8(""), dummy)).toBe(false);
    expect(dummyHash(undefined).split("$")[1]).toBe(String(ITERATIONS_MAX));
  });

  test("equalConstantTime compares all bytes and the length", () => {
    expect(equalConstantTime(Uint8Array.of(1, 2), Uint8Array.of(1, 2))).toBe(true);
    expect(equalConstantTime(Uint8Array.of(1, 2), Uint8Array.of(1, 3))).toBe(false);
    expect(equalConstantTime(Uint8Array.of(2, 2), Uint8Array.of(1, 2))).toBe(false);
    expect(equalConstantTime(Uint8Array.of(1), Uint8Array.of(1, 0))).toBe(false);
    expect(equalConstantTime(new Uint8Array(0), new Uint8Array(0))).toBe(true);
  });
});
