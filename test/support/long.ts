/** Tests that take long beside others of their kind run with `npm run test:long` alone. */

import { test } from "vitest";

export const isLong = process.env.TEST_LONG === "true";

/** A test of the long form. */
export const longTest = test.runIf(isLong);
