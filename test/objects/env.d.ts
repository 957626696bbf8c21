import type { BrokerEnv } from "../../src/objects/env.ts";

declare global {
  namespace Cloudflare {
    /** What `env` of cloudflare:workers has: the bindings of wrangler.toml. */
    interface Env extends BrokerEnv {}
    /** What `exports` of cloudflare:workers has. */
    interface GlobalProps {
      mainModule: typeof import("../../src/worker.ts");
    }
  }
}
