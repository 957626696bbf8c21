import { cloudflareTest } from "@cloudflare/vitest-plugin";
import { defineConfig } from "vitest/config";

/** Two projects: `node` (everything, real sockets included) and `workerd` (test/objects, inside the Workers runtime itself). */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: "node",
          include: ["test/**/*.test.ts"],
          exclude: ["test/objects/**"],
          globalSetup: ["test/support/build-page.ts"],
          testTimeout: 30_000,
          hookTimeout: 30_000,
        },
      },
      {
        plugins: [
          cloudflareTest({
            wrangler: { configPath: "./wrangler.toml" },
            // vitest itself asks for this module; without it each file begins with a warning. The broker has no flags.
            miniflare: { compatibilityFlags: ["enable_nodejs_inspector_module"] },
          }),
        ],
        test: {
          name: "workerd",
          include: ["test/objects/**/*.test.ts"],
          globalSetup: ["test/support/build-page.ts"],
          testTimeout: 30_000,
          hookTimeout: 30_000,
        },
      },
    ],
  },
});
