/** `npm run test:long`: tests with all that `npm test` leaves out because it takes long beside others of its kind. */

import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { ROOT } from "../build/bundle.ts";

const { status } = spawnSync(process.execPath, [join(ROOT, "node_modules/vitest/vitest.mjs"), "run", ...process.argv.slice(2)], {
  cwd: ROOT,
  env: { ...process.env, TEST_LONG: "true" },
  stdio: "inherit",
});
process.exit(status ?? 1);
